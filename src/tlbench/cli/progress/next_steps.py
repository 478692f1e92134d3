"""Suggested commands after a run: to show its best cells, and to run the same on your own data."""

from __future__ import annotations

import shlex
from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.cli.options import out_folder
from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import UsageError
from tlbench.results.columns import OK, Row
from tlbench.results.leaderboard import Table
from tlbench.results.notes.equal_rows import cheapest, equal_rows
from tlbench.results.render.escaping import printable
from tlbench.running.monitoring.time_texts import duration

_MAX_TASKS = 3
_COLUMNS = ("task", "cell", "backbone", "strategy", "status", "rank", "p_best", "total_seconds", "parameters")
_OWN_DATA = {"text": "csv:FILE.csv", "image": "imagefolder:FOLDER"}


def next_steps(table: Table, plan: Plan, catalog: Catalog, out: Path) -> list[str]:
    """Returns lines, each with a command and a comment on its purpose; none if no cell has a score.

    Args:
        table: The leaderboard of the run.
        plan: The plan of the run.
        catalog: The installed plugins.
        out: The folder of results.
    """
    # Rows are sorted by score, the best first.
    by_task: dict[str, list[Row]] = {}
    for row in table.rows(_COLUMNS):
        if row["status"] == OK:
            by_task.setdefault(row["task"], []).append(row)
    steps: list[tuple[str, str]] = []
    for task, (best, *others) in list(by_task.items())[:_MAX_TASKS]:
        # Without a rank, as with one seed, the cells of a task are not compared.
        unranked = "" if best["rank"] else ", by its score alone"
        where = f"the best on {printable(task)}: {_title(best)}{unranked}"
        steps.append((f"tlbench show {best['cell']}{out_option(out)}", where))
        least = cheapest(equal_rows([best, *others]) or [best])
        if least is not best:
            saved = f"{duration(_seconds(least))} of work, not {duration(_seconds(best))}"
            what = f"the cheapest that is not told apart from it: {_title(least)}, {saved}"
            steps.append((f"tlbench show {least['cell']}{out_option(out)}", what))
    if len(by_task) > _MAX_TASKS:
        more = len(by_task) - _MAX_TASKS
        steps.append((f"tlbench leaderboard{out_option(out)}", f"the best on {more} more task{'s' * (more > 1)}"))
    first = next(iter(by_task.values()), [])
    if first:
        command = f"tlbench predict {first[0]['cell']} NEW.csv -o predicted.csv{out_option(out)}"
        steps.append((command, "new rows with the best"))
    steps += _on_own_data(equal_rows(first) or first[:1], plan, catalog)
    width = max((len(command) for command, _ in steps), default=0)
    return [f"{command:<{width}}  # {what}" for command, what in steps]


def out_option(out: Path) -> str:
    """Returns ` --out FOLDER` for a command that is meant to be copied; empty if it is the default folder."""
    return "" if out == out_folder(None) else f" --out {shlex.quote(printable(str(out)))}"


def _on_own_data(best: list[Row], plan: Plan, catalog: Catalog) -> list[tuple[str, str]]:
    # A scheme in a task's name, such as csv:, means that this run already used the user's own data.
    if not best or any(":" in cell.task.name for cell in plan.cells):
        return []
    row = cheapest(best)
    try:
        own = _OWN_DATA.get(catalog.task(row["task"].partition("@")[0]).item.modality)
    except UsageError:
        return []
    if own is None:
        return []
    backbone = f" -b {shlex.quote(printable(row['backbone']))}" if row["backbone"] else ""
    return [
        (f"tlbench run -t {own}{backbone} -S {shlex.quote(printable(row['strategy']))}", "the same on your own data")
    ]


def _title(row: Row) -> str:
    return printable(" | ".join(name for name in (row["backbone"], row["strategy"]) if name))


def _seconds(row: Row) -> float:
    return float(row["total_seconds"] or 0.0)
