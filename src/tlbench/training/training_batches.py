"""Shuffled training batches of rows of similar length, so that little computation is spent on padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

POOL = 16
"""The number of batches that are sorted by length together; more means less padding but less random batches."""


def train_batches(lengths: np.ndarray, batch_size: int, seed: int) -> Iterator[list[int]]:
    """Yields batches of row indices, epoch after epoch, without end.

    Every epoch contains each row once, in a new random order. The sequence depends on the arguments alone.

    Raises:
        ValueError: There are no rows, or `batch_size` is below 1.
    """
    if not len(lengths):
        raise ValueError("nothing to train on")
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: choose at least 1")
    rng = np.random.default_rng(seed)
    while True:
        yield from _one_epoch(lengths, batch_size, rng)


def _one_epoch(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[list[int]]:
    # Bucketing: sort within random pools rather than globally, so that batches differ between epochs.
    order = rng.permutation(len(lengths))
    batches: list[list[int]] = []
    for first in range(0, len(order), batch_size * POOL):
        pool = order[first : first + batch_size * POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[i : i + batch_size].tolist() for i in range(0, len(pool), batch_size)]
    if batch_size > 2 and len(batches) > 1 and len(batches[-1]) == 1:
        # A single row has no variance for batch normalisation, which raises on a feature map of one position.
        batches[-1].insert(0, batches[-2].pop())
    # Without this second shuffle, each pool would be trained on from its shortest rows to its longest.
    return [batches[i] for i in rng.permutation(len(batches))]
