"""Seeded draws of rows into splits: stratified, with equal rows in one split and every class in train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeAlias

Unit: TypeAlias = list[int]
"""Positions of rows with one key, which stay in one part."""
ClassesOf: TypeAlias = Callable[[int], set[Hashable]]
"""Returns the classes of the row at a position."""


def draw(
    keys: Sequence[Hashable],
    strata: Sequence[Hashable],
    shares: Mapping[str, float],
    seed: int,
    *,
    by_rows: bool = False,
    classes_of: ClassesOf | None = None,
) -> dict[str, list[int]]:
    """Returns the row positions of each part, sorted.

    Rows with equal keys stay in one part, so that no part contains another's examples. Shares hold within each stratum
    up to rounding; the first part gets the remainder, and the rows of a stratum with only one key. A part is empty
    where the rows are too few.

    Args:
        keys: A key for each row, such as its content or its group; rows with equal keys are not divided.
        strata: The class of each row, or another value whose distribution should be equal in all parts. A key belongs
            to the stratum of its first row or, with `by_rows`, of most of its rows.
        shares: Positive share of each part, summing to 1; the first part (train) gets what the others leave.
        seed: Seed of the draw.
        by_rows: Whether shares are of rows instead of keys, which differs where keys have several rows. No part then
            exceeds its share, unless it would otherwise be empty.
        classes_of: The classes of a row, each of which keeps a row in the first part; None if that is not needed.
    """
    import numpy as np

    # Named explicitly, so that a new default generator in NumPy cannot change published splits.
    generator = np.random.Generator(np.random.PCG64(seed))
    first, *others = shares
    parts: dict[str, list[Unit]] = {name: [] for name in shares}
    owed = dict.fromkeys(others, 0.0)
    rest: list[list[Unit]] = []

    def take(name: str, order: list[Unit]) -> list[Unit]:
        taken, left = _taken(order, round(owed[name]), by_rows)
        owed[name] -= _size(taken, by_rows)
        parts[name] += taken
        return left

    for units in _strata_of(keys, strata, by_rows):
        order = [units[i] for i in generator.permutation(len(units)).tolist()]
        for name in others:
            # What rounding withheld from a part in small strata is carried over to the next stratum.
            owed[name] += _size(units, by_rows) * shares[name]
            order = take(name, order)
        rest.append(order)
    for name in others if by_rows else ():
        # A part that is still too small, because the last strata had too few rows, takes more from any stratum.
        rest = [take(name, order) for order in rest]
    parts[first] = [unit for order in rest for unit in order]
    if classes_of:
        _keep_classes(parts, first, classes_of)
    if by_rows:
        _fill_empty(parts, first, {name: share * len(keys) for name, share in shares.items()}, classes_of)
    return {name: sorted(row for unit in units for row in unit) for name, units in parts.items()}


def _strata_of(keys: Sequence[Hashable], strata: Sequence[Hashable], by_rows: bool) -> list[list[Unit]]:
    """Returns the units of each stratum, in a fixed order of the strata."""
    # dicts keep insertion order, so units are in the order of their first rows and do not depend on hashes.
    rows_of: dict[Hashable, Unit] = {}
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    units_of: dict[Hashable, list[Unit]] = {}
    for rows in rows_of.values():
        stratum = strata[rows[0]]
        if by_rows and len(rows) > 1:
            stratum = Counter(strata[row] for row in rows).most_common(1)[0][0]
        units_of.setdefault(stratum, []).append(rows)
    # By repr, since strata may be of types that do not compare; any fixed order makes the draw reproducible.
    return [units_of[stratum] for stratum in sorted(units_of, key=repr)]


def _taken(order: list[Unit], wanted: int, by_rows: bool) -> tuple[list[Unit], list[Unit]]:
    """Takes units in order, each if it fits into `wanted` rows (or units); returns those taken and the others.

    At least one unit is not taken, so that training sees every stratum.
    """
    taken: list[Unit] = []
    left: list[Unit] = []
    for position, unit in enumerate(order):
        size = len(unit) if by_rows else 1
        is_last = len(taken) == len(order) - 1
        if wanted <= 0 or is_last:
            left += order[position:]
            break
        if size <= wanted:
            taken.append(unit)
            wanted -= size
        else:
            left.append(unit)
    return taken, left


def _size(units: Sequence[Unit], by_rows: bool) -> int:
    return sum(map(len, units)) if by_rows else len(units)


def _keep_classes(parts: Mapping[str, list[Unit]], first: str, classes_of: ClassesOf) -> None:
    """Moves units into the first part until it has every class: for each missing class, the smallest unit with it."""
    present = _classes(parts[first], classes_of)
    others = {name: units for name, units in parts.items() if name != first}
    missing = set().union(*(_classes(units, classes_of) for units in others.values())) - present
    for each in sorted(missing, key=repr):
        if each in present:
            continue
        having = [
            (len(unit), name, unit) for name, units in others.items() for unit in units if _has(unit, each, classes_of)
        ]
        _, name, unit = min(having, key=lambda item: item[0])
        parts[name].remove(unit)
        parts[first].append(unit)
        present |= _classes([unit], classes_of)


def _fill_empty(
    parts: Mapping[str, list[Unit]], first: str, wanted: Mapping[str, float], classes_of: ClassesOf | None
) -> None:
    """Moves a unit of the first part into each empty part: the one whose size is closest to the part's share.

    A part stays empty if the first part has no unit to spare: it keeps at least one unit, and every class that it has.
    """
    for name, units in parts.items():
        if units or name == first:
            continue
        spare = parts[first] if len(parts[first]) > 1 else []
        if classes_of:
            counts = Counter(each for unit in spare for each in _classes([unit], classes_of))
            spare = [unit for unit in spare if all(counts[each] > 1 for each in _classes([unit], classes_of))]
        if spare:
            unit = min(spare, key=lambda unit: abs(len(unit) - wanted[name]))
            parts[first].remove(unit)
            units.append(unit)


def _classes(units: Sequence[Unit], classes_of: ClassesOf) -> set[Hashable]:
    return {each for unit in units for row in unit for each in classes_of(row)}


def _has(unit: Unit, each: Hashable, classes_of: ClassesOf) -> bool:
    return any(each in classes_of(row) for row in unit)
