"""Early stopping by the score on a held-out part of the training split; the validation split is not used for it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from tlbench.contracts.errors import DataError, PluginError
from tlbench.data.carving import carve
from tlbench.metrics.resampling import score
from tlbench.metrics.scored_arrays import scored_of
from tlbench.modeling.data import Data
from tlbench.training.model_predictor import ModelPredictor

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.contracts.fits.job import Job
    from tlbench.training.model import Model
    from tlbench.training.steps import Step

SHARE = 0.1
"""The share of the training examples that early stopping scores and does not train on."""


class EarlyStopping:
    """A hook after each step that stops training when the score of held-out training examples no longer improves.

    The score is the task's primary metric, computed once an epoch (Prechelt 1998, doi:10.1007/3-540-49430-8_3).
    """

    def __init__(self, model: Model, job: Job, train: Data, held_out: Data, *, batch_size: int, patience: int) -> None:
        """Prepares the hook.

        Args:
            model: The model that is trained.
            job: The job.
            train: The rows that are trained on.
            held_out: The rows that are scored.
            batch_size: Rows per step.
            patience: Number of epochs without a better score after which training stops.
        """
        self._predictor = ModelPredictor(model, job.precision, job.activations)
        self._model, self._job, self._held_out, self._patience = model, job, held_out, patience
        self._every = max(1, math.ceil(len(train) / batch_size))
        self._best = -math.inf
        self._waited = 0
        self._weights: dict[str, Tensor] = {}
        self.best_step = 0
        """The step after which the score was best; 0 before the first score."""

    def __call__(self, step: Step) -> bool:
        """Scores the model at the end of an epoch; returns whether to stop after this step."""
        if step.number % self._every:
            return False
        sign = 1 if self._job.metric.greater_is_better else -1
        value = sign * self._score()
        if value > self._best:
            self._best, self._waited, self.best_step = value, 0, step.number
            self._weights = {name: tensor.detach().clone() for name, tensor in self._tensors()}
        else:
            self._waited += 1
        return self._waited >= self._patience

    def restore(self) -> None:
        """Gives the model the weights and buffers of its best score, if it was ever scored."""
        with torch.no_grad():
            for name, tensor in self._tensors():
                if name in self._weights:
                    tensor.copy_(self._weights[name])

    def _tensors(self) -> list[tuple[str, Tensor]]:
        trained = [(name, weight) for name, weight in self._model.named_parameters() if weight.requires_grad]
        return [*trained, *self._model.named_buffers()]

    def _score(self) -> float:
        predictions = self._predictor.predict(self._held_out)
        targets = [example.target for example in self._held_out.examples]
        return score(self._job.metric, scored_of(self._job.task.output, targets, predictions, self._job.task.positive))


def split_for_stopping(job: Job) -> tuple[Data, Data]:
    """Returns the training rows to train on, and those to score: a stratified tenth, whole groups together.

    Raises:
        PluginError: There are too few examples.
    """
    try:
        kept, scored = carve(list(job.train.examples), job.task.output, SHARE, job.seed)
    except DataError:
        raise PluginError(
            f"early stopping scores a tenth of the training examples, and {len(job.train.examples)} are too few for"
            " that: leave early_stopping_patience out"
        ) from None
    # The rows that are trained on keep the meter of the job's data, which counts what the fit was served.
    return replace(job.train.take(kept), meter=job.train.meter), job.train.take(scored)
