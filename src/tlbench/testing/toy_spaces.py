"""A toy strategy with a conditional search space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.fits.task_info import SpaceContext
from tlbench.contracts.outputs import Classes
from tlbench.contracts.space import Choice, Float, Space, Value, When
from tlbench.testing.toy_predictors import ToyConstant
from tlbench.testing.toys import ToyGuess


@dataclass(frozen=True)
class ToyRule(ToyGuess):
    """Predicts the most frequent class, or the class that a second hyperparameter gives, without training."""

    name = "toy-rule"

    def space(self, about: SpaceContext) -> Space:
        """Returns the rule and, for the rule `guess` alone, the class as a share of the number of classes."""
        return {"rule": Choice(("majority", "guess")), **When("rule", "guess", guess=Float(0, 1))}

    def defaults(self, about: SpaceContext) -> Mapping[str, Value]:
        """Returns the rule of the most frequent class."""
        return {"rule": "majority"}

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of one class."""
        import numpy as np

        if job.params["rule"] == "guess":
            return super().fit(job)
        assert isinstance(job.task.output, Classes)
        values, counts = np.unique(job.train.targets, return_counts=True)
        return ToyConstant(job.task.output, values[counts.argmax()])
