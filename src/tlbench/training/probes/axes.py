"""Features standardised and rotated to their principal axes, and conversion of linear maps back to raw features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tlbench.modeling.precision import wide

FP64_ELEMENTS = 2**18
"""The number of feature values up to which regressions on fp32 features run in fp64; above it, fp32 halves the time."""


@dataclass(frozen=True)
class Linear:
    """A linear map from features to logits or real numbers, in fp32 at least."""

    weight: Tensor
    """(K, D), as in `nn.Linear`."""
    bias: Tensor
    """(K,)"""
    trained: int | None = None
    """The number of parameters that the map was made of, if they are fewer than its own."""

    def __call__(self, features: Tensor) -> Tensor:
        """Returns (N, K) for features (N, D)."""
        return torch.nn.functional.linear(features, self.weight, self.bias)

    @property
    def is_finite(self) -> bool:
        """Whether all parameters are finite."""
        return bool(torch.isfinite(self.weight).all() and torch.isfinite(self.bias).all())

    @property
    def parameters(self) -> int:
        """The number of trained parameters."""
        return self.weight.numel() + self.bias.numel() if self.trained is None else self.trained


@dataclass(frozen=True)
class Scale:
    """The mean and standard deviation of each feature over the training rows."""

    mean: Tensor
    """(D,) fp64."""
    deviation: Tensor
    """(D,) fp64; infinite for a constant feature, which therefore becomes 0 and gets a weight of 0."""
    dtype: torch.dtype
    """The dtype of maps on raw features: that of the features, but at least fp32."""

    @classmethod
    def of(cls, features: Tensor) -> Scale:
        """Returns the scale of features (N, D)."""
        x = features.double()
        mean, deviation = x.mean(0), x.std(0, unbiased=False)
        # Rounding leaves a small deviation even for a constant feature, in proportion to its mean.
        deviation = torch.where(deviation > 1e-7 * (1 + mean.abs()), deviation, torch.inf)
        return cls(mean, deviation, wide(features.dtype))

    def standardise(self, features: Tensor) -> Tensor:
        """Returns the features (N, D) in fp64 with mean 0 and standard deviation 1."""
        return (features.double() - self.mean) / self.deviation

    def on_raw_features(self, weight: Tensor, bias: Tensor) -> Linear:
        """Returns the map on raw features that equals weight (K, D) and bias (K,) on standardised ones."""
        weight = weight.double() / self.deviation
        return Linear(weight.to(self.dtype), (bias.double() - weight @ self.mean).to(self.dtype))


@dataclass(frozen=True)
class Axes:
    """Standardised features in the coordinates of their principal axes.

    A ridge penalty is invariant under this rotation. The features become uncorrelated, so that ridge regression is a
    division and the curvature of a logistic loss is known in advance; and there are at most as many axes as rows.
    """

    rows: Tensor
    """(N, R), uncorrelated."""
    variances: Tensor
    """(R,), the variance along each axis."""
    directions: Tensor
    """(D, R), orthonormal columns; scaled ones if rows are whitened."""
    scale: Scale

    @classmethod
    def of(cls, features: Tensor) -> Axes:
        """Returns the principal axes of features (N, D).

        Rows and variances are in fp64, or for more than `FP64_ELEMENTS` values in the dtype of the features, but at
        least fp32.
        """
        scale = Scale.of(features)
        x = scale.standardise(features)
        count, width = x.shape
        # The Gram matrix of the smaller side has the same non-zero eigenvalues, at a fraction of the cost if D > N.
        variances, vectors = torch.linalg.eigh((x.T @ x if width <= count else x @ x.T) / count)
        # Drops null directions, whose eigenvalues are rounding errors and would be divided by; eigh sorts ascending.
        kept = variances > 1e-10 * variances[-1:].clamp(min=1e-30)
        variances, vectors = variances[kept], vectors[:, kept]
        directions = vectors if width <= count else x.T @ vectors / (variances * count).sqrt()
        rows = x @ directions
        if rows.numel() > FP64_ELEMENTS:
            rows, variances = rows.to(scale.dtype), variances.to(scale.dtype)
        return cls(rows, variances, directions, scale)

    def projected(self, components: int | None, whitens: bool) -> Axes:
        """Returns the axes of largest variance, as many as `components` or all, each scaled to variance 1 if asked for.

        A penalty is the same for all axes. So without whitening it holds mainly for those of small variance.
        """
        # eigh sorts ascending.
        first = max(0, len(self.variances) - components) if components is not None else 0
        rows, variances, directions = self.rows[:, first:], self.variances[first:], self.directions[:, first:]
        if whitens:
            deviations = variances.sqrt()
            rows, directions = rows / deviations, directions / deviations.to(directions.dtype)
            variances = torch.ones_like(variances)
        return Axes(rows, variances, directions, self.scale)

    def on_raw_features(self, solution: Tensor) -> list[Linear]:
        """Returns for each of S solutions on the axes the equivalent map on raw features.

        Solutions are (S, R + 1, K), with the bias as their last row.
        """
        solution = solution.double()
        count, _, outputs = solution.shape
        flat = self.directions @ solution[:, :-1].permute(1, 0, 2).reshape(self.directions.shape[1], count * outputs)
        weights = flat.view(len(self.directions), count, outputs).permute(1, 2, 0)
        return [self.scale.on_raw_features(weight, bias) for weight, bias in zip(weights, solution[:, -1], strict=True)]
