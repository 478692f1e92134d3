"""Beginnings of cells' ids: how many digits tell the cells of a folder apart, and which cell a beginning means."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench.contracts.errors import UnknownName, UsageError

SHORTEST = 4
"""Smallest number of digits that tables show."""
_MOST_LISTED = 5


def distinct_length(ids: Iterable[str]) -> int:
    """Returns the number of leading digits, at least `SHORTEST`, in which all ids differ."""
    distinct, length = set(ids), SHORTEST
    while len({one[:length] for one in distinct}) < len(distinct):
        length += 1
    return length


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
