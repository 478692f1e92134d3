"""`tlbench leaderboard`, and the table at the end of a run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.errors import UsageError
from tlbench.contracts.record import Cell, Record
from tlbench.results.render.plain import printable
from tlbench.results.store import Store, Unreadable

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


def print_board(out: Path, suite: str | None, tasks: tuple[str, ...], everything: bool, format_: str) -> None:
    """Prints the leaderboard of the last run, of a suite, or of every record in the folder."""
    store = Store.open(out)
    title, cells = _expected(store, suite, everything)
    records = load(store, None if cells is None else {cell.id for cell in cells})
    if tasks:
        records = [record for record in records if record.cell.task.name in tasks]
        cells = None if cells is None else [cell for cell in cells if cell.task.name in tasks]
        if not records:
            raise UsageError(f"{out}: no records of the task {', '.join(tasks)}")
    table = frame(store, records, cells or ())
    if format_ == "csv":
        from tlbench.results.render.csv import leaderboard as csv

        sys.stdout.write(csv(table))
    elif format_ == "markdown":
        from tlbench.results.render.markdown import leaderboard as markdown

        sys.stdout.write(markdown(table, title=title, command=_command(suite, everything)))
    elif format_ == "svg":
        from tlbench.results.render.svg import leaderboard as svg

        sys.stdout.write(svg(table, title, _command(suite, everything)))
    else:
        from rich.console import Console

        print_frame(Console(), table, title)


def print_frame(console: Console, table: pd.DataFrame, title: str) -> None:
    """Prints a leaderboard frame to a terminal, or to whatever stands in its place."""
    from tlbench.results.render.terminal import leaderboard

    console.print(leaderboard(table, title=title))


def load(store: Store, cells: set[str] | None) -> list[Record]:
    """Returns the newest records of these cells, or all; names files that are no records on stderr."""

    def complain(file: Unreadable) -> None:
        print(printable(f"tlbench: {file.path.name} is no record and is left out: {file.reason}"), file=sys.stderr)

    return [record for record in store.records(complain) if cells is None or record.cell.id in cells]


def frame(store: Store, records: Sequence[Record], expected: Sequence[Cell]) -> pd.DataFrame:
    """Returns the leaderboard frame of records, with ranks from their stored predictions."""
    from tlbench.results.leaderboard import frame as make

    def predictions(record: Record) -> pd.DataFrame | None:
        import pandas as pd

        path = store.predictions(record)
        try:
            return None if path is None else pd.read_parquet(path)
        except (OSError, ValueError) as error:  # what pyarrow raises of a damaged file is a ValueError
            print(printable(f"tlbench: {path} cannot be read: {error}"), file=sys.stderr)
            return None

    return make(records, expected=expected, predictions=predictions)


def _expected(store: Store, suite: str | None, everything: bool) -> tuple[str, Sequence[Cell] | None]:
    if everything:
        return "all records", None
    if suite is not None:
        from tlbench.catalog.catalog import Catalog
        from tlbench.planning.plan import plan
        from tlbench.planning.suite import read_suite

        catalog = Catalog.discover()
        planned = plan(read_suite(catalog.suite(suite)), catalog)
        return planned.suite, planned.cells
    last = store.plan()
    return (last.suite, last.cells) if last else ("all records", None)


def _command(suite: str | None, everything: bool) -> str:
    return "tlbench leaderboard" + (f" --suite {suite}" if suite else "") + (" --all" if everything else "")
