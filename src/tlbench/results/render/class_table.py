"""What a record says of each class, for a terminal: how well it is found, and what it is confused with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tlbench.contracts.record import ClassReport, Record
from tlbench.results.render import value_texts as cells
from tlbench.results.render.escaping import plain_text, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDEST = 12
"""Up to how many classes there is a matrix; beyond it what is confused most is listed."""
_PAIRS = 20
_ROWS = 50
_NAME = 24


def report(record: Record) -> RenderableType:
    """Returns the table of classes and the confusion matrix, or the pairs that are confused most where it is large."""
    found = record.report
    if not found.classes:
        return Text("this record has no report on classes", style="dim")
    seeds = len(record.fits)
    parts: list[RenderableType] = [_heading("classes", seeds), _classes(found)]
    if len(found.classes) > _ROWS:
        parts.append(Text(f"and {len(found.classes) - _ROWS:,} more", style="dim"))
    if found.names:
        large = len(found.names) > _WIDEST
        parts += [Text(""), _heading("confused most" if large else "confusion: rows are true, columns said", seeds)]
        parts.append(_pairs(found) if large else _matrix(found))
    return Group(*parts)


def _heading(title: str, seeds: int) -> Text:
    return Text.assemble((title, "bold"), ("   summed over seeds" if seeds > 1 else "", "dim"))


def _classes(found: ClassReport) -> Table:
    grid = _grid("class")
    for heading in ("precision", "recall", "F1", "examples"):
        grid.add_column(Text(heading), justify="right", no_wrap=True)
    # Of many classes those that are found worst are worth the look.
    rows = found.classes if len(found.classes) <= _ROWS else sorted(found.classes, key=lambda row: row.f1)[:_ROWS]
    for row in rows:
        shares = (cells.points(row.precision), cells.points(row.recall), cells.points(row.f1))
        grid.add_row(_name(row.name), *map(Text, shares), Text(f"{row.support:,}"))
    return grid


def _matrix(found: ClassReport) -> Table:
    counts = {(true, said): number for true, said, number in found.confusion}
    grid = _grid("")
    for name in found.names:
        grid.add_column(_name(name), justify="right", no_wrap=True)
    for true, name in enumerate(found.names):
        row = []
        for said in range(len(found.names)):
            number = counts.get((true, said), 0)
            style = "bold" if true == said else "" if number else "dim"
            row.append(Text(f"{number:,}", style=style))
        grid.add_row(_name(name), *row)
    return grid


def _pairs(found: ClassReport) -> Table:
    grid = _grid("true")
    grid.add_column(Text("said"))
    grid.add_column(Text("examples"), justify="right", no_wrap=True)
    wrong = sorted((entry for entry in found.confusion if entry[0] != entry[1]), key=lambda entry: -entry[2])
    for true, said, number in wrong[:_PAIRS]:
        grid.add_row(_name(found.names[true]), _name(found.names[said]), Text(f"{number:,}"))
    return grid


def _grid(heading: str) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    grid.add_column(Text(heading))
    return grid


def _name(name: str) -> Text:
    return plain_text(printable(name, _NAME))
