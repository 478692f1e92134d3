"""`tlbench leaderboard`, and the table at the end of a run."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.cell import Cell
from tlbench.contracts.errors import UsageError
from tlbench.contracts.plan import Plan
from tlbench.contracts.record import Record
from tlbench.results.bulk_ranks import BulkRanks, Tested
from tlbench.results.index import Index
from tlbench.results.leaderboard import Table, compared
from tlbench.results.lines import Line, Lines
from tlbench.results.ranking import Place, by_answers, by_intervals
from tlbench.results.record_files import Unreadable
from tlbench.results.render.plain import printable
from tlbench.results.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from tlbench.results.stats import Answers


def print_board(out: Path, suite: str | None, tasks: tuple[str, ...], everything: bool, format_: str) -> None:
    """Prints the leaderboard of the last run, of a suite, or of every record in the folder."""
    # Millions of small values and no circles: looking for some takes longer than many a step of this.
    gc.disable()
    try:
        _print_board(Store.open(out), suite, tasks, everything, format_)
    finally:
        gc.enable()


def _print_board(store: Store, suite: str | None, tasks: tuple[str, ...], everything: bool, format_: str) -> None:
    index = Index(store)
    recorded = index.lines(_complain)
    title, lines, planned = _asked(store, index, recorded, suite, everything)
    if tasks:
        lines = lines.of(line for line in lines.rows if line.task in tasks)
        kept = {line.cell for line in lines.rows}
        planned = [cell_id for cell_id in planned if cell_id in kept]
        if not any(line.attempt for line in lines.rows):
            raise UsageError(f"{store.root}: no records of the task {', '.join(tasks)}")
    table = _table(store, index, lines, planned)
    if format_ == "csv":
        from tlbench.results.render.csv import leaderboard as csv

        sys.stdout.write(csv(table.frame()))
    elif format_ == "markdown":
        from tlbench.results.render.markdown import leaderboard as markdown

        sys.stdout.write(markdown(table.frame(), title=title, command=_command(suite, everything)))
    elif format_ == "svg":
        from tlbench.results.render.svg import leaderboard as svg

        sys.stdout.write(svg(table.frame(), title, _command(suite, everything)))
    else:
        from rich.console import Console

        print_frame(Console(), table, title)
    sys.stdout.flush()
    index.save()


def print_frame(console: Console, table: pd.DataFrame | Table, title: str) -> None:
    """Prints a leaderboard to a terminal, or to whatever stands in its place."""
    from tlbench.results.render.terminal import leaderboard

    console.print(leaderboard(table, title=title))


def load(store: Store, cells: set[str] | None) -> list[Record]:
    """Returns the newest records of these cells, or all; names files that are no records on stderr."""
    return [record for record in store.records(_complain) if cells is None or record.cell.id in cells]


def frame(store: Store, records: Sequence[Record], expected: Sequence[Cell]) -> Table:
    """Returns the leaderboard of records of the store, with ranks from their stored predictions."""
    index, planned = Index(store), {cell.id: cell for cell in expected}
    # Others than these were complained of when they were read.
    known, asked = index.lines(lambda file: None, records), {record.cell.id for record in records}
    lines = known.of(line for line in known.rows if line.cell in asked)
    lines.add_missing(planned)
    table = _table(store, index, lines, list(planned))
    index.save()
    return table


def _asked(
    store: Store, index: Index, lines: Lines, suite: str | None, everything: bool
) -> tuple[str, Lines, list[str]]:
    """Returns the title, the lines to show, and the ids of the cells that are to be counted, if not all."""
    if everything:
        return "all records", lines, []
    if suite is not None:
        from tlbench.catalog.catalog import Catalog
        from tlbench.planning.plan import plan as made
        from tlbench.planning.suite import read_suite

        catalog = Catalog.discover()
        # What is recorded is shown, whether or not its data lie on this machine.
        return _planned(lines, made(read_suite(catalog.suite(suite)), catalog, here=False))
    last = index.planned()
    if last is None:
        return "all records", lines, []
    title, ids = last
    if {line.cell for line in lines.rows}.issuperset(ids):
        # A finished run's plan need not be read.
        asked = set(ids)
        return title, lines.of(line for line in lines.rows if line.cell in asked), ids
    plan = store.plan()
    return ("all records", lines, []) if plan is None else _planned(lines, plan)


def _planned(lines: Lines, plan: Plan) -> tuple[str, Lines, list[str]]:
    cells = {cell.id: cell for cell in plan.cells}
    some = lines.of(line for line in lines.rows if line.cell in cells)
    some.add_missing(cells)
    return plan.suite, some, list(cells)


def _table(store: Store, index: Index, lines: Lines, planned: Sequence[str]) -> Table:
    coming = [
        (metric, group) for metric, group in compared(lines) if _is_tested(group) and not index.is_known(metric, group)
    ]
    with BulkRanks(_by_predictions(store), coming) as tested:

        def told(metric: str, group: Sequence[Line]) -> list[Place]:
            made, complaints = tested(metric, group)
            for complaint in complaints:
                print(complaint, file=sys.stderr)
                index.doubt()
            return made

        remembered = index.remembered(told)

        def ranked(metric: str, group: Sequence[Line]) -> list[Place]:
            return remembered(metric, group) if _is_tested(group) else by_intervals(metric, group)

        return Table(lines, planned, ranked)


def _is_tested(lines: Sequence[Line]) -> bool:
    return any(line.predictions for line in lines)


def _by_predictions(store: Store) -> Callable[[str, Sequence[Line]], Tested]:
    def ranked(metric: str, lines: Sequence[Line]) -> Tested:
        complaints: list[str] = []

        def answers_of(line: Line) -> Answers | None:
            from tlbench.results.answers import read_answers

            path = store.predictions(line)
            try:
                return None if path is None else read_answers(path, line.metric)
            except (OSError, ValueError) as error:  # what pyarrow raises of a damaged file is a ValueError
                complaints.append(printable(f"tlbench: {path} cannot be read: {error}"))
                return None

        return by_answers(metric, lines, answers_of), complaints

    return ranked


def _complain(file: Unreadable) -> None:
    print(printable(f"tlbench: {file.message}; it is left out"), file=sys.stderr)


def _command(suite: str | None, everything: bool) -> str:
    return "tlbench leaderboard" + (f" --suite {suite}" if suite else "") + (" --all" if everything else "")
