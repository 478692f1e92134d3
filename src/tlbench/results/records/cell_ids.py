"""Beginnings of cells' ids: how many digits tell the cells of a folder apart, and which cell a beginning means."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from tlbench.contracts.errors import UnknownName, UsageError

SHORTEST = 4
"""Smallest number of digits that tables show."""
_MOST_LISTED = 5


def distinct_length(ids: Iterable[str]) -> int:
    """Returns the number of leading digits, at least `SHORTEST`, in which all ids differ."""
    # Sorted, because the longest common beginning is that of two neighbours.
    shared = (_shared_digits(*pair) for pair in pairwise(sorted(set(ids))))
    return max(SHORTEST, 1 + max(shared, default=0))


def full_id(beginning: str, ids: Iterable[str]) -> str:
    """Returns the only id that begins with these digits.

    Raises:
        UnknownName: No id begins with them.
        UsageError: Several ids do.
    """
    matches = sorted(one for one in ids if one.startswith(beginning))
    if not matches or not beginning:
        raise UnknownName(f"no cell whose id is or begins with {beginning!r}")
    if len(matches) > 1:
        listed = ", ".join(matches[:_MOST_LISTED])
        raise UsageError(f"{beginning!r} begins the ids of {len(matches)} cells: {listed}; give more digits")
    return matches[0]


def _shared_digits(first: str, second: str) -> int:
    return next((i for i, (one, other) in enumerate(zip(first, second, strict=False)) if one != other), len(first))
