"""Matrices over tasks: the score of each row on each task, and on how many tasks a row scores higher than another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from tlbench.results.columns import OK, PENDING, Row
from tlbench.results.render import value_texts as cells

_Key: TypeAlias = tuple[str, str, str]
SHADES = 9
"""Shades of a matrix: 0 for the lowest value and 9 for the highest."""
_MOST_ROWS = 40


class MatrixCell(NamedTuple):
    """One cell of a matrix."""

    text: str
    shade: int | None
    """None for a missing value."""
    href: str = ""
    title: str = ""


@dataclass(frozen=True)
class TaskMatrix:
    """Scores of rows on tasks; shades compare the rows of a task."""

    tasks: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]
    hidden: int
    """Number of further rows."""


@dataclass(frozen=True)
class WinMatrix:
    """On how many tasks the row scores higher than the column, of the tasks that both have."""

    names: tuple[str, ...]
    rows: tuple[tuple[MatrixCell, ...], ...]


def task_matrix(rows: Sequence[Row], order: Sequence[_Key], href: Callable[[Row], str]) -> TaskMatrix:
    """Returns the scores of the first rows in this order."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    found = {(*_key(row), row["task"]): row for row in rows}
    ends = {task: _ends([row for row in rows if row["task"] == task]) for task in tasks}
    lines = [
        (_title(key), tuple(_score_cell(found.get((*key, task)), ends[task], href) for task in tasks))
        for key in order[:_MOST_ROWS]
    ]
    return TaskMatrix(tuple(tasks), tuple(lines), len(order) - len(lines))


def win_matrix(rows: Sequence[Row], order: Sequence[_Key]) -> WinMatrix:
    """Returns the wins of the first rows in this order; a failed cell loses against every score."""
    by_key: dict[_Key, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["status"] != PENDING:
            by_key[_key(row)][row["task"]] = row
    keys = [key for key in order if key in by_key][:_MOST_ROWS]
    lines = tuple(tuple(_wins(by_key[one], by_key[other], one == other) for other in keys) for one in keys)
    return WinMatrix(tuple(map(_title, keys)), lines)


def _wins(mine: Mapping[str, Row], others: Mapping[str, Row], is_same: bool) -> MatrixCell:
    common = [task for task in mine if task in others and OK in {mine[task]["status"], others[task]["status"]}]
    if is_same or not common:
        return MatrixCell("", None)
    wins = sum(_goodness(mine[task]) > _goodness(others[task]) for task in common)
    return MatrixCell(f"{wins}/{len(common)}", round(SHADES * wins / len(common)))


def _goodness(row: Row) -> float:
    if row["status"] != OK or row["value"] is None:
        return float("-inf")
    return float(row["value"] if row["greater_is_better"] else -row["value"])


def _score_cell(row: Row | None, ends: tuple[float, float], href: Callable[[Row], str]) -> MatrixCell:
    if row is None or row["status"] == PENDING:
        return MatrixCell("", None)
    if row["status"] != OK:
        return MatrixCell(str(row["status"]), None, href(row))
    low, high = ends
    share = (_goodness(row) - low) / (high - low) if high > low else 1.0
    return MatrixCell(cells.score(row), round(SHADES * share), href(row))


def _ends(rows: Sequence[Row]) -> tuple[float, float]:
    known = [_goodness(row) for row in rows if row["status"] == OK and row["value"] is not None]
    return min(known, default=0.0), max(known, default=0.0)


def _key(row: Row) -> _Key:
    return row["backbone"], row["strategy"], row["variant"]


def _title(key: _Key) -> str:
    return cells.title(dict(zip(("backbone", "strategy", "variant"), key, strict=True)))
