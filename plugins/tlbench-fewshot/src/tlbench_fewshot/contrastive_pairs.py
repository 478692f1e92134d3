"""Pairs of training examples, and the loss that draws those of one class together and others apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from tlbench import Job
from tlbench.training.model import placed

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.training import Step


class PairLoss:
    """The squared error of the cosine of two embeddings: its target is 1 for examples of one class, else 0."""

    def __init__(self, job: Job, iterations: int, size: int) -> None:
        """Draws the pairs.

        Args:
            job: Gives the training examples, whose rows are examples, and the seed.
            iterations: Number of pairs of either kind that are drawn for each example.
            size: Number of pairs per step.
        """
        self._data = job.train
        self._pairs = drawn_pairs(self._data.targets, iterations, job.seed)
        self.count = len(self._pairs)
        """Number of pairs of an epoch; 0 if there is a single example."""
        self._batches = _batches(self.count, size, job.seed)

    def loss(self, step: Step) -> Tensor:
        """Returns the loss of the next batch of pairs; the step's own batch is not read."""
        pairs = self._pairs[next(self._batches)]
        model, half = step.model, len(pairs)
        # The loop has counted the rows of its own batch, which is not used.
        self._data.meter.rows -= len(step.rows)
        batch = placed(self._data.serve(pairs[:, :2].T.flatten().tolist()), model.device)
        embeddings = model.encoder.pool(model.encoder(batch)).float()
        cosines = functional.cosine_similarity(embeddings[:half], embeddings[half:])
        same = torch.from_numpy(pairs[:, 2]).to(cosines)
        return functional.mse_loss(cosines, same)


def drawn_pairs(targets: np.ndarray, iterations: int, seed: int) -> np.ndarray:
    """Returns pairs of rows and whether they are of one class, (N, 3) int64, in random order.

    Each row is the first of `iterations` pairs with another row of its class, and of as many with a row of another
    class, as far as there are such rows.
    """
    random = np.random.default_rng(seed)
    rows = np.arange(len(targets))
    found = []
    for row, target in enumerate(targets):
        same = rows[(targets == target) & (rows != row)]
        others = rows[targets != target]
        for is_same, partners in ((1, same), (0, others)):
            if len(partners):
                drawn = random.choice(partners, iterations)
                found.append(np.stack([np.full(iterations, row), drawn, np.full(iterations, is_same)], axis=1))
    if not found:
        return np.empty((0, 3), dtype=np.int64)
    return random.permutation(np.concatenate(found))


def _batches(count: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """Yields the numbers of pairs, epoch after epoch; without pairs nothing."""
    random = np.random.default_rng(seed)
    while count:
        order = random.permutation(count)
        yield from (order[start : start + size] for start in range(0, count, size))
