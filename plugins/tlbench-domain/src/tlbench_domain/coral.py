"""Deep CORAL: aligns the covariances of both domains' features. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import Float, Job, Predictor, Space, SpaceContext, Value
from tlbench_domain.adaptation import FeatureAlignment

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Coral(FeatureAlignment):
    """Deep CORAL: penalises the distance between the covariances of both domains' features.

    The features are those that the last layer reads, as usual since (Koh et al. 2021, arXiv:2012.07421); the paper
    takes the last layer's outputs.
    """

    name: ClassVar[str] = "coral"
    paper: ClassVar[str] = "Sun & Saenko 2016, arXiv:1607.01719"

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates and the weight of the penalty, which the paper sets by the size of the losses."""
        return {**super().space(about), "weight": Float(1.0, 1000.0, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a weight at which the penalty is felt beside the loss for features of a few hundred dimensions."""
        return {**super().defaults(about), "weight": 100.0}

    def fit(self, job: Job) -> Predictor:
        """Returns the model trained on the source's labels with aligned features."""
        weight = float(job.params["weight"])
        return self.aligned(self.model(job), job, lambda step, source, target: weight * distance(source, target))


def distance(source: Tensor, target: Tensor) -> Tensor:
    """Returns the squared Frobenius distance of the covariances of features (B, D), divided by 4 D^2."""
    difference = _covariance(source) - _covariance(target)
    return difference.square().sum() / (4 * source.shape[1] ** 2)


def _covariance(features: Tensor) -> Tensor:
    centred = features - features.mean(0)
    # A batch of one row has no covariance, and contributes zeros.
    return centred.T @ centred / max(1, len(features) - 1)
