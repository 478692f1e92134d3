"""Chooses rows by score and cost: the Pareto front of each task, and the best row for each value of a column."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.results.choice.chosen_rows import rows_with
from tlbench.results.choice.named_columns import NamedColumn
from tlbench.results.columns import OK
from tlbench.results.leaderboard import Table

_SCORED = ("status", "value", "greater_is_better")


def pareto_places(table: Table, costs: Sequence[NamedColumn]) -> list[int]:
    """Returns the positions of the rows that no other row of their task beats in score and costs together.

    A row beats another if it is at least as good in its score and in every cost, and better in one of them. Rows
    without a score, or for which one of the costs is unknown, are left out. Scores count as observed: whether a
    difference is significant is what ranks say.

    Args:
        table: The table.
        costs: Columns of numbers, of which smaller ones are better.
    """
    rows = rows_with(table, costs, _SCORED)
    points: dict[str, dict[int, tuple[float, ...]]] = {}
    for place, row in enumerate(rows):
        values = [column.value(row) for column in costs]
        if row["status"] == OK and None not in values:
            loss = -row["value"] if row["greater_is_better"] else row["value"]
            points.setdefault(row["task"], {})[place] = (loss, *values)
    return sorted(place for of_task in points.values() for place in _front(of_task))


def _front(points: dict[int, tuple[float, ...]]) -> list[int]:
    # In order of losses, a row can only be beaten by one that comes before it, or equals it in all but its costs.
    ordered = sorted(points, key=points.__getitem__)
    front: list[int] = []
    for place in ordered:
        if not any(_beats(points[other], points[place]) for other in front):
            front.append(place)
    return front


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def best_places(table: Table, column: NamedColumn) -> list[int]:
    """Returns the positions of the first row of each task for each value of a column; a table's rows are best first."""
    seen: dict[tuple[str, object], int] = {}
    for place, row in enumerate(rows_with(table, [column])):
        seen.setdefault((row["task"], column.value(row)), place)
    return sorted(seen.values())
