"""Standardised features along their principal axes, and linear maps on the features they were made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tlbench.modeling.precision import wide

FP64_ELEMENTS = 2**18
"""Feature values up to which regressions on fp32 compute in fp64; beyond, fp32 halves a time that is felt."""


@dataclass(frozen=True)
class Linear:
    """A linear map of features to logits or numbers, in fp32 at least."""

    weight: Tensor
    """(K, D), as in `nn.Linear`."""
    bias: Tensor
    """(K,)"""

    def __call__(self, features: Tensor) -> Tensor:
        """Returns (N, K) for features (N, D)."""
        return torch.nn.functional.linear(features, self.weight, self.bias)

    @property
    def is_finite(self) -> bool:
        """Whether every weight is."""
        return bool(torch.isfinite(self.weight).all() and torch.isfinite(self.bias).all())

    @property
    def parameters(self) -> int:
        """How many weights there are."""
        return self.weight.numel() + self.bias.numel()


@dataclass(frozen=True)
class Scale:
    """The mean and the deviation of each feature over the rows that are trained on."""

    mean: Tensor
    """(D,) fp64."""
    deviation: Tensor
    """(D,) fp64; infinite for a feature that is constant, so that it becomes 0 and takes no weight."""
    dtype: torch.dtype
    """Of the maps on raw features: the features' own, but fp32 where that is less."""

    @classmethod
    def of(cls, features: Tensor) -> Scale:
        """Returns the scale of features (N, D)."""
        x = features.double()
        mean, deviation = x.mean(0), x.std(0, unbiased=False)
        deviation = torch.where(deviation > 1e-7 * (1 + mean.abs()), deviation, torch.inf)
        return cls(mean, deviation, wide(features.dtype))

    def standardise(self, features: Tensor) -> Tensor:
        """Returns (N, D) in fp64 with mean 0 and deviation 1."""
        return (features.double() - self.mean) / self.deviation

    def unfold(self, weight: Tensor, bias: Tensor) -> Linear:
        """Returns the map on raw features that weight (K, D) and bias (K,) are on standardised ones."""
        weight = weight.double() / self.deviation
        return Linear(weight.to(self.dtype), (bias.double() - weight @ self.mean).to(self.dtype))


@dataclass(frozen=True)
class Axes:
    """Standardised features, turned into their principal axes.

    A ridge penalty does not see the turn, and curvature along these axes is known beforehand; there are never more
    of them than rows.
    """

    rows: Tensor
    """(N, R) uncorrelated."""
    variances: Tensor
    """(R,) the mean square of each axis."""
    directions: Tensor
    """(D, R) orthonormal."""
    scale: Scale

    @classmethod
    def of(cls, features: Tensor) -> Axes:
        """Returns the axes of features (N, D); fp64 but for large features in less, where time decides for fp32."""
        scale = Scale.of(features)
        x = scale.standardise(features)
        count, width = x.shape
        variances, vectors = torch.linalg.eigh((x.T @ x if width <= count else x @ x.T) / count)
        kept = variances > 1e-10 * variances[-1:].clamp(min=1e-30)
        variances, vectors = variances[kept], vectors[:, kept]
        directions = vectors if width <= count else x.T @ vectors / (variances * count).sqrt()
        rows = x @ directions
        if rows.numel() > FP64_ELEMENTS:
            rows, variances = rows.to(scale.dtype), variances.to(scale.dtype)
        return cls(rows, variances, directions, scale)

    def unfold(self, solution: Tensor) -> list[Linear]:
        """Returns the maps on raw features of solutions (S, R + 1, K) on the axes, the bias last."""
        solution = solution.double()
        count, _, outputs = solution.shape
        flat = self.directions @ solution[:, :-1].permute(1, 0, 2).reshape(self.directions.shape[1], count * outputs)
        weights = flat.view(len(self.directions), count, outputs).permute(1, 2, 0)
        return [self.scale.unfold(weight, bias) for weight, bias in zip(weights, solution[:, -1], strict=True)]
