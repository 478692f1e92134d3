"""Deep CORAL: aligns the covariances of both domains' outputs. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import Float, Job, Space, SpaceContext, Value
from tlbench.training import Objective
from tlbench_domain.adaptation import FeatureAlignment

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.training import Model


@dataclass(frozen=True)
class Coral(FeatureAlignment):
    """Deep CORAL: penalises the distance between the covariances of the last layer's outputs in both domains."""

    name: ClassVar[str] = "coral"
    paper: ClassVar[str] = "Sun & Saenko 2016, arXiv:1607.01719"

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates and the penalty's weight, which in the paper makes both losses alike in size."""
        return {**super().space(about), "weight": Float(0.1, 10.0, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the middle of the range as the weight."""
        return {**super().defaults(about), "weight": 1.0}

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the source's loss and the distance of the outputs' covariances."""
        weight = float(job.params["weight"])
        return Objective(self.aligned(model, job, lambda step, source, target: weight * distance(source[0], target[0])))


def distance(source: Tensor, target: Tensor) -> Tensor:
    """Returns the squared Frobenius distance of the covariances of outputs (B, D), divided by 4 D^2."""
    difference = _covariance(source) - _covariance(target)
    return difference.square().sum() / (4 * source.shape[1] ** 2)


def _covariance(outputs: Tensor) -> Tensor:
    centred = outputs - outputs.mean(0)
    # A batch of one row has no covariance, and contributes zeros.
    return centred.T @ centred / max(1, len(outputs) - 1)
