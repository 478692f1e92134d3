"""Places and gains within one task, written into its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tlbench.contracts.metric import METRICS
from tlbench.contracts.record import Record
from tlbench.results.columns import OK, PENDING, Row

if TYPE_CHECKING:
    import pandas as pd

    from tlbench.results.stats import Answers, Entry

Predictions: TypeAlias = "Callable[[Record], pd.DataFrame | None]"

_AGREEMENT = 1e-6


def order(row: Row) -> tuple[Any, ...]:
    """Returns a key that sorts rows of a task: best first, then what failed, then what is pending; by name in each."""
    group = {OK: 0, PENDING: 2}.get(row["status"], 1)
    value = -_higher_is_better(row["metric"]) * row["value"] if group == 0 else 0.0
    return group, value, row["backbone"], row["strategy"], row["variant"], row["cell"]


def add_gains(rows: Sequence[Row]) -> None:
    """Sets the gain of each row of a task, in points, over `from-scratch` with the same backbone, if there is one."""
    scratch = [row for row in rows if row["status"] == OK and _base(row["strategy"]) == "from-scratch"]
    for row in rows:
        peers = [other for other in scratch if other["backbone"] == row["backbone"]]
        if row["status"] != OK or not row["backbone"] or not peers or row in scratch:
            continue
        # Against the best of several: a gain over a starved baseline is none.
        base = min(peers, key=order)
        row["gain"] = 100 * _higher_is_better(row["metric"]) * (row["value"] - base["value"])


def add_ranks(rows: Sequence[Row], records: Mapping[str, Record], predictions: Predictions | None) -> None:
    """Sets the rank of each row of a task; what has no score shares the place behind all that have one."""
    done = [row for row in rows if row["status"] == OK]
    for metric in sorted({row["metric"] for row in done} & set(METRICS)):
        ranked = [row for row in done if row["metric"] == metric]
        _rank_by(metric, ranked, [records[row["cell"]] for row in ranked], predictions)
    failed = [row for row in rows if row["status"] not in {OK, PENDING}]
    for row in failed:
        row.update(rank=len(done) + 1, tied=len(failed) > 1)


def _rank_by(metric: str, rows: Sequence[Row], records: Sequence[Record], predictions: Predictions | None) -> None:
    from tlbench.results.stats import tied_ranks

    entries = [_entry(row, record, predictions) for row, record in zip(rows, records, strict=True)]
    for row, rank in zip(rows, tied_ranks(metric, entries, records[0].positive), strict=True):
        row.update(rank=rank.place, tied=rank.tied, ranked_by="paired test" if rank.paired else "intervals")


def _entry(row: Row, record: Record, predictions: Predictions | None) -> Entry:
    from tlbench.results.stats import Entry, mean_score

    stored = predictions(record) if predictions else None
    answers = None if stored is None else _answers(stored)
    # Predictions that do not give the recorded score are not this record's: no test may rest on them.
    if answers and abs(mean_score(row["metric"], answers, record.positive) - row["value"]) > _AGREEMENT:
        answers = None
    return Entry(row["value"], row["low"], row["high"], answers)


def _answers(stored: pd.DataFrame) -> Answers | None:
    """Returns the predictions in order of seed and id, or None where the table is not one of predictions."""
    import numpy as np

    from tlbench.results.stats import Answers

    try:
        # By id, so that two cells' answers stand in the same order.
        groups: Any = stored.groupby("seed", sort=True)
        parts = [(int(seed), part.sort_values("id")) for seed, part in groups]
        ids = [tuple(part["id"].astype(str)) for _, part in parts]
        targets = parts[0][1]["target"].to_numpy()
        values = np.stack([part["value"].to_numpy() for _, part in parts])
        if len(set(ids)) != 1 or not np.isfinite(values).all() or not np.isfinite(targets).all():
            return None
        return Answers(ids[0], targets, values, tuple(seed for seed, _ in parts))
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _base(strategy: str) -> str:
    return strategy.partition("[")[0].rpartition("/")[2]


def _higher_is_better(metric: str) -> int:
    return -1 if metric in METRICS and not METRICS[metric].greater_is_better else 1
