"""Tables for the terminal, and unwrapped columns for pipes and long listings."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.results.render.escaping import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MAX_TABLE_ROWS = 200
_GAP = "  "
_MIN_SHORTENED = 40
"""Number of characters below which a shortened text says too little; other columns make room for it first."""


@dataclass(frozen=True)
class ListColumn:
    """A column of a listing that has one line for each row."""

    heading: str
    drop: int = 0
    """Order in which columns are left out of a narrow terminal, the highest number first; 0 for columns that stay."""
    is_shortened: bool = False
    """Whether texts are cut with an ellipsis to fit the terminal; at most one column, the last."""


def print_listing(columns: Sequence[ListColumn], rows: Sequence[Sequence[str]]) -> list[str]:
    """Prints a line for each row, fitted to the width of a terminal, and returns the headings that were left out.

    A pipe gets all columns at their full length.

    Args:
        columns: The columns.
        rows: A text for each column. The last text of a shorter row, such as an error message, takes the rest of its
            line.
    """
    return print_grouped_listing(columns, {"": rows})


def print_grouped_listing(columns: Sequence[ListColumn], groups: Mapping[str, Sequence[Sequence[str]]]) -> list[str]:
    """Prints a listing like `print_listing`, with a heading above each group of rows, whose rows are indented.

    The columns of all groups are aligned. A pipe gets the rows without headings, for programs that read lines.
    """
    width = terminal_width()
    indent = "  " if width is not None and any(groups) else ""
    rows = [row for group in groups.values() for row in group]
    lines, left_out = listing_lines(columns, rows, None if width is None else width - len(indent))
    if width is None:
        print("\n".join(lines))
        return left_out
    from rich.text import Text

    console().print(Text(f"{indent}{lines[0]}", style="bold"), soft_wrap=True)
    following = iter(lines[1:])
    for heading, group in groups.items():
        if heading:
            console().print(Text(printable(heading), style="bold"), soft_wrap=True)
        for _ in group:
            print(f"{indent}{next(following)}")
    return left_out


def listing_lines(
    columns: Sequence[ListColumn], rows: Sequence[Sequence[str]], width: int | None
) -> tuple[list[str], list[str]]:
    """Returns the lines of a listing, headings first, and the headings of the columns that do not fit the width.

    Columns that stay are never cut or wrapped, so lines may be longer than the width if it is too small for them.
    """
    texts = [[printable(text) for text in row] for row in rows]
    widths = [
        max(_cells(column.heading), *(_cells(row[i]) for row in texts if i < len(row) - (len(row) < len(columns))), 0)
        for i, column in enumerate(columns)
    ]
    shown = list(range(len(columns)))
    if width is not None:
        droppable = sorted((i for i in shown if columns[i].drop), key=lambda i: columns[i].drop)
        needed = [min(size, _MIN_SHORTENED) if columns[i].is_shortened else size for i, size in enumerate(widths)]
        while droppable and sum(needed[i] + len(_GAP) for i in shown) - len(_GAP) > width:
            shown.remove(droppable.pop())
    lines = [_line([column.heading for column in columns], shown, widths, width)]
    for row in texts:
        # The last text of a short row begins where its column does and ends with the line.
        kept = [i for i in shown if i < len(row)] or [len(row) - 1]
        lines.append(_line(row, kept, [*widths[: len(row) - 1], _cells(row[-1])], width))
    return lines, [columns[i].heading for i in range(len(columns)) if i not in shown]


def terminal_width() -> int | None:
    """Returns the number of columns of the terminal; None if stdout is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows as a table that wraps to the terminal's width, or as one line per row for a pipe or many rows."""
    width = terminal_width()
    # rich takes seconds to lay out thousands of rows, and wrapped cells are of no use to grep.
    if len(rows) <= _MAX_TABLE_ROWS and width is not None and _fits_in_words(headings, rows, width):
        console().print(_table(headings, rows))
        return
    print("\n".join(listing_lines([ListColumn(heading) for heading in headings], rows, None)[0]))


def print_facts(rows: Sequence[tuple[str, str]]) -> None:
    """Prints pairs of a label and a text as two columns; pairs without a text are left out."""
    # `printable` removes spaces, and a label may be indented.
    facts = [(label[: len(label) - len(label.lstrip())] + printable(label), text) for label, text in rows if text]
    longest = max((_cells(label) for label, _ in facts), default=0)
    width = terminal_width()
    for label, raw in facts:
        text = printable(raw)
        lines = [text] if width is None else wrapped(text, width - longest - len(_GAP))
        for i, line in enumerate(lines):
            print(f"{'' if i else label:<{longest}}{_GAP}{line}")


def wrapped(text: str, width: int) -> list[str]:
    """Returns the lines of a text that is wrapped between words; longer words, such as paths, stay whole."""
    lines = [""]
    for word in text.split():
        if lines[-1] and _cells(lines[-1]) + 1 + _cells(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def _line(texts: Sequence[str], shown: Sequence[int], widths: Sequence[int], width: int | None) -> str:
    from rich.cells import set_cell_size

    parts: list[str] = []
    for i in shown:
        text = texts[i]
        if i == shown[-1] and width is not None:
            room = width - sum(widths[j] + len(_GAP) for j in shown[:-1])
            parts.append(_shortened(text, room) if len(shown) > 1 else text)
        else:
            # Not str.ljust: a Chinese character takes two columns of a terminal, a combining accent none.
            parts.append(set_cell_size(text, widths[i]))
    return _GAP.join(parts).rstrip()


def _shortened(text: str, room: int) -> str:
    """Returns the text, cut at the end of a word if it has more than `room` columns."""
    from rich.cells import set_cell_size

    if _cells(text) <= room:
        return text
    cut = set_cell_size(text, max(1, room - 1)).rstrip()
    at_word = cut.rpartition(" ")[0].rstrip(" ,;:") if text[len(cut) : len(cut) + 1] not in {"", " "} else cut
    # A single long word is cut anywhere.
    return f"{at_word if _cells(at_word) >= room // 2 else cut}…"


def shortened_middle(text: str, room: int) -> str:
    """Returns the text with an ellipsis in its middle if it has more than `room` columns."""
    from rich.cells import set_cell_size

    if _cells(text) <= room:
        return text
    tail = text[len(text) - (room - 1) // 2 :]
    return f"{set_cell_size(text, room - 1 - _cells(tail)).rstrip()}…{tail}"


def _fits_in_words(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Returns whether the table can be as narrow as the terminal without breaking a word."""
    longest = [max(map(_cells, column)) for column in zip(headings, *map(_longest_words, rows), strict=True)]
    return sum(longest) + len(_GAP) * (len(headings) - 1) <= width


def _longest_words(row: Sequence[str]) -> list[str]:
    # The first column holds names and is not wrapped.
    wrapped = [max(printable(text).split(), key=_cells, default="") for text in row[1:]]
    return [printable(row[0]), *wrapped]


def _cells(text: str) -> int:
    """Returns how many columns of a terminal a text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    words = [list(headings), *map(_longest_words, rows)]
    for i, heading in enumerate(headings):
        # rich would break words of one column while another could still be wrapped.
        table.add_column(heading, no_wrap=i == 0, min_width=max(_cells(row[i]) for row in words))
    for row in rows:
        # As Text, since rich would read brackets in a str as markup and drop them.
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def console() -> Console:
    """Returns a rich console that raises BrokenPipeError if its pipe is closed, instead of exiting with status 1."""
    from rich.console import Console

    terminal = Console()
    # rich would exit with status 1, which means a cell without a score.
    terminal.on_broken_pipe = _raise_broken_pipe  # type: ignore[method-assign]
    return terminal


def _raise_broken_pipe() -> None:
    raise BrokenPipeError
