"""Groups of test examples that are not independent, such as sentences of one document; resampled as wholes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlbench.metrics.scored import Array


def group_numbers(names: Sequence[str]) -> Array | None:
    """Returns (N,): the group of each example as a number from 0, in order of first occurrence; None without groups.

    Args:
        names: (N,) the name of each example's group; "" for an example that is a group of its own.
    """
    if not any(names):
        return None
    numbers: dict[str | int, int] = {}
    return np.array([numbers.setdefault(name or position, len(numbers)) for position, name in enumerate(names)])
