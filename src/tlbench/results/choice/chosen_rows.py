"""Hides and sorts the rows of a ranked table; a row keeps the rank that it has among all rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby

from tlbench.results.choice.conditions import check_points
from tlbench.results.choice.expressions import Expression
from tlbench.results.choice.named_columns import NamedColumn
from tlbench.results.columns import METRIC, Row
from tlbench.results.leaderboard import Table

_OF_PRIMARY_METRIC = {"value", "low", "high", "seed_min", "seed_max", "validation"}
"""Columns of the frame in the unit of the row's primary metric, so that the metric decides whether larger is better."""
_MORE_IS_BETTER = {"gain", f"{METRIC}accuracy", f"{METRIC}f1"}
_ALWAYS = ("task", "backbone", "strategy", "greater_is_better", "in_points")


def matching_places(
    table: Table,
    conditions: Sequence[Expression],
    backbones: Collection[str] | None = None,
    strategies: Collection[str] | None = None,
) -> list[int]:
    """Returns the positions, from 0, of the rows that meet all conditions and have one of these names.

    Baselines, which use no backbone, are kept beside the named backbones and strategies, unless a baseline is named.

    Args:
        table: The ranked table.
        conditions: Expressions, all of which must be met.
        backbones: Names of backbones; None for all.
        strategies: Names of strategies; None for all.

    Raises:
        UsageError: A condition has a value between 0 and 1 for a column that is shown in points, from 0 to 100.
    """
    single = [condition for one in conditions for condition in one.conditions]
    rows = rows_with(table, (condition.column for condition in single))
    check_points(single, rows)
    baselines = {row["strategy"] for row in rows if not row["backbone"]}
    if strategies is not None:
        strategies = {*strategies} if baselines & {*strategies} else {*strategies, *baselines}
    return [
        place
        for place, row in enumerate(rows)
        if (backbones is None or not row["backbone"] or row["backbone"] in backbones)
        and (strategies is None or row["strategy"] in strategies)
        and all(one.is_met(row) for one in conditions)
    ]


def sorted_places(table: Table, column: NamedColumn, is_reversed: bool) -> list[int]:
    """Returns the positions of all rows, sorted by a column within each task, rows without a value last.

    Scores are sorted best first, and all other columns in ascending order; `is_reversed` reverses this.
    """
    rows = rows_with(table, [column])
    order: list[int] = []
    for _, group in groupby(range(len(rows)), key=lambda place: rows[place]["task"]):
        places = list(group)
        values = {place: column.value(rows[place]) for place in places}
        known = [place for place in places if values[place] not in {None, ""}]
        descending = is_reversed != (bool(known) and _is_better_high(column, rows[known[0]]))
        # Stable in both directions: rows with equal values stay in the order of their ranks.
        order += sorted(known, key=values.__getitem__, reverse=descending)
        order += [place for place in places if values[place] in {None, ""}]
    return order


def rows_with(table: Table, columns: Iterable[NamedColumn], more: Sequence[str] = ()) -> list[Row]:
    """Returns all rows with the values of these columns, and of `more` columns of the frame."""
    return table.rows(dict.fromkeys((*_ALWAYS, *more, *(name for column in columns for name in column.frame))))


def _is_better_high(column: NamedColumn, row: Row) -> bool:
    if column.frame[0] in _OF_PRIMARY_METRIC:
        return bool(row["greater_is_better"])
    return column.better > 0 or column.frame[0] in _MORE_IS_BETTER


def hidden_text(hidden: int, options: Mapping[str, bool]) -> str:
    """Returns a sentence on rows that options hide; empty if there are none.

    Args:
        hidden: The number of rows that are hidden.
        options: Whether each option was given, by the option's name.
    """
    given = " and ".join(option for option, is_given in options.items() if is_given)
    rows = "1 row is" if hidden == 1 else f"{hidden:,} rows are"
    return f"{rows} hidden by {given}; ranks are among all rows." if hidden else ""
