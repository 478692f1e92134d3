"""A loss with pseudo-labels that are renewed at the start of each round of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tlbench import Job
from tlbench.modeling.data import Data
from tlbench.training import Model, ModelPredictor, Step
from tlbench_semisup.unlabeled_batches import UnlabeledBatches

if TYPE_CHECKING:
    from torch import Tensor

Chosen: TypeAlias = Callable[[np.ndarray, float], np.ndarray]
"""Returns the rows that get a pseudo-label, given probabilities (rows, K) and the share of rounds begun, up to 1."""


class LabelRounds:
    """Predicts unlabelled rows at the start of each round, and adds the loss of those that are chosen to the task's."""

    def __init__(
        self, model: Model, job: Job, data: Data, chosen: Chosen, *, rounds: int, weight: float, size: int
    ) -> None:
        self._model, self._job, self._data, self._chosen = model, job, data, chosen
        self._rounds, self._weight, self._size = rounds, weight, size
        self._round = 0
        self._labels = torch.empty(0)
        self._batches: UnlabeledBatches | None = None
        self._note(0.0)

    def loss(self, step: Step) -> Tensor:
        """Returns the loss of a step: the task's, and in all rounds but the first that of a batch of pseudo-labels."""
        number = (step.number - 1) * (self._rounds + 1) // step.total
        if number > self._round:
            self._round = number
            self._predict(number / self._rounds)
        loss = step.task_loss()
        if self._batches is None:
            return loss
        rows = self._batches.draw()
        weight = self._weight * self._round / self._rounds
        logits = self._model(self._batches.batch(rows))
        return loss + weight * self._model.head.loss(logits, self._labels[rows].to(self._model.device))

    def _predict(self, progress: float) -> None:
        """Gives the rows that are chosen the labels that the model predicts now."""
        scores = ModelPredictor(self._model, self._job.precision, self._job.activations).predict(self._data).scores
        assert scores is not None
        self._model.train()
        rows = self._chosen(scores, progress)
        self._note(len(rows) / len(scores))
        self._labels = torch.from_numpy(scores.argmax(1))
        batches = UnlabeledBatches(self._model, self._job, [self._data], self._size, rows) if len(rows) else None
        self._batches = batches

    def _note(self, share: float) -> None:
        """Notes the share of the rows that have a pseudo-label in the latest round."""
        self._job.notes["pseudo_labelled_share"] = share
