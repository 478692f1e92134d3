"""Where a cell stands in the leaderboard of its task, and which rows are not told apart from it."""

from __future__ import annotations

from pathlib import Path

from tlbench.cli.leaderboard import frame
from tlbench.contracts.record import Record
from tlbench.results.records.store import Store


def standing_of(record: Record, out: Path) -> tuple[str, list[str]]:
    """Returns the rank of a cell among all records of its task, in a sentence, and the rows that share its rank.

    The sentence is empty and there are no rows if the cell has no rank, as with one seed.
    """
    store = Store.open(out)
    task = record.cell.task
    records = [one for one in store.records(lambda file: None) if one.cell.task == task and one.status == "ok"]
    rows = frame(store, records, ()).rows(("task", "backbone", "strategy", "cell", "rank", "rank_last"))
    own = next((row for row in rows if row["cell"] == record.cell.id), None)
    if own is None or own["rank"] is None or own["rank"] != own["rank"]:
        return "", []
    ties = [row for row in rows if row["rank"] == own["rank"] and row["cell"] != record.cell.id]
    last = f" to {int(own['rank_last'])}" if own["rank_last"] and own["rank_last"] != own["rank"] else ""
    sentence = f"It has rank {int(own['rank'])}{last} of the {len(rows)} rows of this task that were recorded with it."
    return sentence, [" ".join(str(row[name]) for name in ("backbone", "strategy") if row[name]) for row in ties]
