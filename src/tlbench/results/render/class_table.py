"""Shows a record's per-class scores and confusion matrix in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tlbench.contracts.fits.class_scores import ClassReport
from tlbench.contracts.record import Record
from tlbench.results.render import value_texts as cells
from tlbench.results.render.escaping import plain_text, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

_MATRIX_CLASSES = 12
"""Largest number of classes for which the matrix is shown; beyond it, the most confused pairs are listed."""
_MAX_PAIRS = 20
_MAX_ROWS = 50
_NAME_WIDTH = 24


def report(record: Record) -> RenderableType:
    """Returns the per-class scores with the confusion matrix or, for many classes, the most confused pairs."""
    class_report = record.report
    if not class_report.classes:
        return Text("this record has no report on classes", style="dim")
    seeds = len(record.fits)
    parts: list[RenderableType] = [_heading("classes", seeds), _class_scores(class_report)]
    if len(class_report.classes) > _MAX_ROWS:
        parts.append(Text(f"and {len(class_report.classes) - _MAX_ROWS:,} more", style="dim"))
    # A report without names has no confusion counts: several labels at once cannot be confused one for one.
    if class_report.names:
        large = len(class_report.names) > _MATRIX_CLASSES
        parts += [
            Text(""),
            _heading("confused most" if large else "confusion: rows are true, columns predicted", seeds),
        ]
        parts.append(_confused_pairs(class_report) if large else _confusion_matrix(class_report))
    return Group(*parts)


def _heading(title: str, seeds: int) -> Text:
    return Text.assemble((title, "bold"), ("   summed over seeds" if seeds > 1 else "", "dim"))


def _class_scores(class_report: ClassReport) -> Table:
    grid = _grid("class")
    for heading in ("precision", "recall", "F1", "examples"):
        grid.add_column(Text(heading), justify="right", no_wrap=True)
    # Of many classes, show those with the lowest F1: a reader looks for what fails.
    rows = class_report.classes
    if len(rows) > _MAX_ROWS:
        rows = tuple(sorted(rows, key=lambda row: row.f1)[:_MAX_ROWS])
    for row in rows:
        shares = (cells.points(row.precision), cells.points(row.recall), cells.points(row.f1))
        grid.add_row(_name(row.name), *map(Text, shares), Text(f"{row.support:,}"))
    return grid


def _confusion_matrix(class_report: ClassReport) -> Table:
    # Only pairs that occur are recorded.
    counts = {(true, predicted): number for true, predicted, number in class_report.confusion}
    grid = _grid("")
    for name in class_report.names:
        grid.add_column(_name(name), justify="right", no_wrap=True)
    for true, name in enumerate(class_report.names):
        row = []
        for predicted in range(len(class_report.names)):
            number = counts.get((true, predicted), 0)
            style = "bold" if true == predicted else "" if number else "dim"
            row.append(Text(f"{number:,}", style=style))
        grid.add_row(_name(name), *row)
    return grid


def _confused_pairs(class_report: ClassReport) -> Table:
    grid = _grid("true")
    grid.add_column(Text("said"))
    grid.add_column(Text("examples"), justify="right", no_wrap=True)
    wrong = sorted((entry for entry in class_report.confusion if entry[0] != entry[1]), key=lambda entry: -entry[2])
    for true, predicted, number in wrong[:_MAX_PAIRS]:
        grid.add_row(_name(class_report.names[true]), _name(class_report.names[predicted]), Text(f"{number:,}"))
    return grid


def _grid(heading: str) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    grid.add_column(Text(heading))
    return grid


def _name(name: str) -> Text:
    return plain_text(printable(name, _NAME_WIDTH))
