"""Many regularised linear heads at once, on features that were computed once.

All settings share the features, so that one pass is one matrix product, whatever their number. Each setting's
result is the one that it would have alone.

The penalty `l2` stands beside a mean over examples: mean loss + l2 / 2 * |weights|^2, the bias is free. In
scikit-learn's terms that is C = 1 / (l2 * N) for `LogisticRegression` and alpha = l2 * N for `Ridge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tlbench.training.lbfgs import Problem, minimise

CHUNK_ELEMENTS = 2**26
"""Logits held at a time: more settings than fit into these go one chunk after another."""
FP64_ELEMENTS = 2**18
"""Feature values up to which logistic regression computes in fp64; beyond, fp32 halves a time that is felt."""
ABSENT_BIAS = -20.0
"""How far below the others the logit of a class that training never showed is put."""


@dataclass(frozen=True)
class Linear:
    """A linear map of features to logits or numbers, in fp32."""

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


def logistic_regressions(
    features: Tensor, targets: Tensor, classes: int, penalties: Sequence[float], max_steps: int = 500
) -> list[Linear]:
    """Returns a logistic regression of the classes for each penalty, on standardised features.

    Each feature is standardised by its mean and deviation over the rows, which are folded into the weights. Of two
    classes the logits are half the log-odds each way; of more the model is multinomial.

    Args:
        features: (N, D).
        targets: (N,) class indices; a class that does not occur is never predicted.
        classes: How many there are.
        penalties: `l2` of each setting, above 0.
        max_steps: Of L-BFGS; a setting that is not done by then stays where it is.
    """
    seen, compact = torch.unique(targets, return_inverse=True)
    basis = _Basis.of(features)
    columns = 1 if len(seen) == 2 else len(seen)
    width = max(1, CHUNK_ELEMENTS // max(1, len(features) * columns))
    solved: list[Linear] = []
    for first in range(0, len(penalties), width):
        chunk = torch.tensor(penalties[first : first + width], dtype=basis.rows.dtype, device=features.device)
        solution = _solve_logistic(basis, compact, len(seen), chunk, max_steps)
        solved += [_all_classes(*basis.unfold(one), seen, classes) for one in solution]
    return solved


def ridge_regressions(features: Tensor, targets: Tensor, penalties: Sequence[float]) -> list[Linear]:
    """Returns the least-squares fit of real numbers for each penalty, in closed form, on standardised features.

    Args:
        features: (N, D).
        targets: (N,) real numbers. The penalty is meant for numbers of unit deviation: pass them so.
        penalties: `l2` of each setting, above 0.
    """
    basis = _Basis.of(features)
    y = targets.to(basis.rows.dtype)
    mean = y.mean()
    moments = basis.rows.T @ (y - mean) / len(y)
    solved = []
    for penalty in penalties:
        slope = moments / (basis.variances + penalty)
        weight, bias = basis.unfold(torch.cat([slope, mean[None]])[:, None])
        solved.append(Linear(weight, bias))
    return solved


@dataclass(frozen=True)
class _Basis:
    """Standardised features, turned into their principal axes.

    A ridge penalty does not see the turn, and curvature along these axes is known beforehand; there are never more
    of them than rows.
    """

    rows: Tensor
    """(N, R) uncorrelated."""
    variances: Tensor
    """(R,) the mean square of each axis."""
    axes: Tensor
    """(D, R) orthonormal."""
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, features: Tensor) -> _Basis:
        """Returns the basis of features (N, D); fp64 but for large features, where time decides for fp32."""
        x = features.double()
        mean = x.mean(0)
        deviation = x.std(0, unbiased=False)
        deviation = torch.where(deviation > 1e-7 * (1 + mean.abs()), deviation, torch.inf)
        x = (x - mean) / deviation
        count, width = x.shape
        variances, vectors = torch.linalg.eigh((x.T @ x if width <= count else x @ x.T) / count)
        kept = variances > 1e-10 * variances[-1:].clamp(min=1e-30)
        variances, vectors = variances[kept], vectors[:, kept]
        axes = vectors if width <= count else x.T @ vectors / (variances * count).sqrt()
        rows = x @ axes
        if rows.numel() > FP64_ELEMENTS:
            rows, variances = rows.float(), variances.float()
        return cls(rows, variances, axes, mean, deviation)

    def unfold(self, solution: Tensor) -> tuple[Tensor, Tensor]:
        """Returns weight (K, D) and bias (K,) on raw features from (R + 1, K) on the axes, the bias last."""
        solution = solution.double()
        weight = (self.axes @ solution[:-1]).T / self.deviation
        return weight.float(), (solution[-1] - weight @ self.mean).float()


def _solve_logistic(basis: _Basis, targets: Tensor, classes: int, penalties: Tensor, max_steps: int) -> Tensor:
    """Returns (S, R + 1, K) for penalties (S,): the weights on the axes and, last, the bias of each class."""
    rows = basis.rows
    hot = torch.nn.functional.one_hot(targets, classes).to(rows.dtype)
    prior = hot.mean(0).log()
    binary = classes == 2
    if binary:
        hot, prior = hot[:, 1:], prior[1:] - prior[:1]
    shape = (rows.shape[1] + 1, len(prior), len(penalties))
    if classes == 1:
        return rows.new_zeros(shape).permute(2, 0, 1)
    scale = _curvature(basis.variances, penalties, classes).rsqrt()[:, None, :]
    start = rows.new_zeros(shape)
    start[-1] = prior[:, None] / scale[-1]
    solution = minimise(Problem(rows, hot[:, :, None], penalties, scale, binary), start, max_steps).permute(2, 0, 1)
    return torch.cat([-solution / 2, solution / 2], dim=-1) if binary else solution


def _curvature(variances: Tensor, penalties: Tensor, classes: int) -> Tensor:
    """Returns (R + 1, S): about how much the objective curves along each axis and along the bias."""
    spread = (1 - 1 / classes) / classes
    along = spread * variances[:, None] + penalties
    return torch.cat([along, along.new_full((1, len(penalties)), spread)])


def _all_classes(weight: Tensor, bias: Tensor, seen: Tensor, classes: int) -> Linear:
    """Returns the map with a row for classes that training never showed."""
    if len(seen) == classes:
        return Linear(weight, bias)
    full = weight.new_zeros(classes, weight.shape[1])
    full[seen] = weight
    low = bias.new_full((classes,), float(bias.min()) + ABSENT_BIAS)
    low[seen] = bias
    return Linear(full, low)
