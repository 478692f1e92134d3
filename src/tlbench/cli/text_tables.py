"""Tables for the terminal, and unwrapped columns for pipes and long listings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tlbench.results.render.escaping import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MAX_TABLE_ROWS = 200


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows as a table that wraps to the terminal's width, or as one line per row for a pipe or many rows."""
    # rich takes seconds to lay out thousands of rows, and wrapped cells are of no use to grep.
    if len(rows) <= _MAX_TABLE_ROWS and sys.stdout.isatty():
        _print(_table(headings, rows))
        return
    from rich.cells import cell_len

    texts = [headings, *([printable(cell) for cell in row] for row in rows)]
    # cell_len and not len: a Chinese character takes two columns of a terminal, a combining accent none.
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
    for line in texts:
        padded = (text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def print_facts(rows: Iterable[tuple[str, str]]) -> None:
    """Prints pairs of a label and a text as two columns; pairs without a text are left out."""
    _print(_table(("", ""), [row for row in rows if row[1]]))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=any(headings))
    for i, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=i == 0 and len(headings) > 2)
    for row in rows:
        # As Text, since rich would read brackets in a str as markup and drop them.
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def console() -> Console:
    """Returns a console that leaves a closed pipe to the command, whose exit status then says so."""
    from rich.console import Console

    terminal = Console()
    # rich would exit with status 1, which means a cell without a score.
    terminal.on_broken_pipe = _raise_broken_pipe  # type: ignore[method-assign]
    return terminal


def _raise_broken_pipe() -> None:
    raise BrokenPipeError


def _print(table: Table) -> None:
    console().print(table)
