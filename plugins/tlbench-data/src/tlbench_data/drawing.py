"""Splits made by a fixed seed: classes as often in each, and what is the same text on one side."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from tlbench import UsageError


def check_seed(task: str, parameter: str, seed: int) -> None:
    """Refuses a seed that nothing can be drawn by, when a task is given it.

    Raises:
        UsageError: It is below 0.
    """
    if seed < 0:
        raise UsageError(f"{task}: {parameter}={seed}: a seed is 0 or more")


def draw(
    keys: Sequence[Hashable], strata: Sequence[Hashable], shares: Mapping[str, float], seed: int
) -> dict[str, list[int]]:
    """Returns the positions of each part, in order.

    Rows with the same key stay together, so that no part shows what another holds. The shares are met within each
    stratum, up to rounding; the first part gets what is left over, and the only row of a stratum.

    Args:
        keys: What each row shows.
        strata: The class of each row, or whatever is to be as often in each part; that of a key's first row counts.
        shares: Part to its share, the first (train) being what is left; positive, together 1.
        seed: Of the draw.
    """
    import numpy as np

    rows_of: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        rows_of.setdefault(key, []).append(row)
    groups_of: dict[Hashable, list[list[int]]] = {}
    for rows in rows_of.values():
        groups_of.setdefault(strata[rows[0]], []).append(rows)
    # The bit generator is named so that a change of numpy's default cannot move the splits.
    generator = np.random.Generator(np.random.PCG64(seed))
    first, *others = shares
    parts: dict[str, list[int]] = {name: [] for name in shares}
    owed = dict.fromkeys(others, 0.0)
    for stratum in sorted(groups_of, key=repr):
        groups = groups_of[stratum]
        order = [groups[i] for i in generator.permutation(len(groups)).tolist()]
        for name in others:
            # What rounding kept back in small strata is made up for in the next.
            owed[name] += len(groups) * shares[name]
            taken = max(0, min(round(owed[name]), len(order) - 1))
            owed[name] -= taken
            parts[name] += [row for rows in order[:taken] for row in rows]
            order = order[taken:]
        parts[first] += [row for rows in order for row in rows]
    return {name: sorted(rows) for name, rows in parts.items()}
