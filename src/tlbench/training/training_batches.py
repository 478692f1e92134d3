"""Batches to train on: shuffled, yet of rows of like length, so that little padding is computed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

POOL = 16
"""How many batches are drawn together and sorted by length; more pads less but mixes less."""


def train_batches(lengths: np.ndarray, batch_size: int, seed: int) -> Iterator[list[int]]:
    """Yields batches of row indices without end, one pass over all rows after another.

    Every pass has every row once and draws a new order. The sequence depends on the arguments alone.

    Raises:
        ValueError: There are no rows, or none in a batch.
    """
    if not len(lengths):
        raise ValueError("nothing to train on")
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: a batch has at least one row")
    rng = np.random.default_rng(seed)
    while True:
        yield from _one_pass(lengths, batch_size, rng)


def _one_pass(lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[list[int]]:
    order = rng.permutation(len(lengths))
    batches: list[list[int]] = []
    for first in range(0, len(order), batch_size * POOL):
        pool = order[first : first + batch_size * POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[i : i + batch_size].tolist() for i in range(0, len(pool), batch_size)]
    if batch_size > 2 and len(batches) > 1 and len(batches[-1]) == 1:
        # batch normalisation finds no variance in a single row, and in a map of one position refuses it
        batches[-1].insert(0, batches[-2].pop())
    return [batches[i] for i in rng.permutation(len(batches))]
