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


def joined_groups(partitions: Sequence[Array | None]) -> Array | None:
    """Returns (N,) group numbers from 0: examples in one group in any partition are in one group; None without groups.

    Args:
        partitions: For each partition of the same N examples, (N,) the group of each example as a number; None for one
            without groups.
    """
    known = [one for one in partitions if one is not None]
    if not known:
        return None
    if all(np.array_equal(one, known[0]) for one in known[1:]):
        return known[0]
    joined = known[0]
    for other in known[1:]:
        joined = _joined(joined, other)
    return joined


def _joined(first: Array, second: Array) -> Array:
    """Returns groups that join examples which share a group in either partition, directly or through other examples."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # A graph whose nodes are the groups of both partitions; each example connects its two groups.
    count = int(first.max()) + 1
    nodes = count + int(second.max()) + 1
    edges = coo_array((np.ones(len(first)), (first, second + count)), shape=(nodes, nodes))
    found: Array = connected_components(edges, directed=False)[1][first]
    return found
