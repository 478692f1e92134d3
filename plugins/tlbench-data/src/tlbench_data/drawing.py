"""Seeded, stratified splits that keep equal examples together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from tlbench import UsageError


def check_seed(task: str, parameter: str, seed: int) -> None:
    """Refuses a negative seed when a task is created.

    Raises:
        UsageError: The seed is below 0.
    """
    if seed < 0:
        raise UsageError(f"{task}: {parameter}={seed}: a seed must be at least 0")


def draw(
    keys: Sequence[Hashable], strata: Sequence[Hashable], shares: Mapping[str, float], seed: int
) -> dict[str, list[int]]:
    """Returns the row positions of each part, sorted.

    Rows with equal keys stay in one part, so that no part contains another's examples. Shares hold within each stratum
    up to rounding; the first part gets the remainder, and the row of a stratum that has only one.

    Args:
        keys: The content of each row.
        strata: The class of each row, or another value whose distribution should be equal in all parts. A key's first
            row decides.
        shares: Positive share of each part, summing to 1; the first part (train) gets what the others leave.
        seed: Seed of the draw.
    """
    import numpy as np

    # dicts keep insertion order, so groups are in the order of their first rows and do not depend on hashes.
    rows_of: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    groups_of: dict[Hashable, list[list[int]]] = {}
    for rows in rows_of.values():
        groups_of.setdefault(strata[rows[0]], []).append(rows)
    # Named explicitly, so that a new default generator in NumPy cannot change published splits.
    generator = np.random.Generator(np.random.PCG64(seed))
    first, *others = shares
    parts: dict[str, list[int]] = {name: [] for name in shares}
    owed = dict.fromkeys(others, 0.0)
    # By repr, since strata may be of types that do not compare; any fixed order makes the draw reproducible.
    for stratum in sorted(groups_of, key=repr):
        groups = groups_of[stratum]
        order = [groups[i] for i in generator.permutation(len(groups)).tolist()]
        for name in others:
            # What rounding withheld from a part in small strata is carried over to the next stratum.
            owed[name] += len(groups) * shares[name]
            # At least one group stays for the first part, so that training sees every class.
            taken = max(0, min(round(owed[name]), len(order) - 1))
            owed[name] -= taken
            parts[name] += [row for rows in order[:taken] for row in rows]
            order = order[taken:]
        parts[first] += [row for rows in order for row in rows]
    return {name: sorted(rows) for name, rows in parts.items()}
