"""Chooses the rows of a task that no test tells apart from the best, and the cheapest of them.

A row ties with the best if no row is significantly better, in tests of all pairs at once, and if a test of the two
alone does not tell them apart either. The second is the stricter one: the correction for many pairs protects a ranking
from false differences, but here a missed one costs more, as a baseline would be taken where there are few examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tlbench.results.columns import Row

ALPHA = 0.05
NEEDED = ("cell", "rank", "p_best", "total_seconds", "parameters")
"""The columns of a leaderboard that `equal_rows` and `cheapest` read."""


def equal_rows(rows: Sequence[Row]) -> list[Row]:
    """Returns the rows at rank 1 that a test of the two alone does not tell apart from the best.

    Args:
        rows: The rows of a task with a score, the best first.
    """
    return [row for row in rows if row["rank"] == 1 and (row["p_best"] is None or row["p_best"] > ALPHA)]


def cheapest(rows: Sequence[Row]) -> Row:
    """Returns the row with the least time of all work, then the fewest parameters."""
    return min(rows, key=_cost)


def _cost(row: Row) -> tuple[Any, ...]:
    seconds, parameters = row["total_seconds"], row["parameters"]
    return seconds is None, seconds or 0.0, parameters or 0, row["cell"]
