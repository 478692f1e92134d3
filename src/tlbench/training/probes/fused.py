"""Logistic and ridge regressions at many penalties at once, on precomputed features.

All penalties of a problem share its features, and problems of similar size (such as the training subsets of several
seeds) are stacked, so that one iteration is one batched product. Each result equals that of solving it alone, up to
rounding.

The objective is mean loss + l2 / 2 * |weights|^2 without a penalty on the bias. In scikit-learn's terms,
C = 1 / (l2 * N) for `LogisticRegression` and alpha = l2 * N for `Ridge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tlbench.modeling.precision import wide
from tlbench.training.probes.axes import Axes, Linear
from tlbench.training.probes.lbfgs import Problem, minimise

CHUNK_ELEMENTS = 2**26
"""The maximum number of elements of stacked rows or logits; larger batches are solved in chunks."""
ABSENT_BIAS = -20.0
"""The logit of an output without positive training examples; a class adds the lowest bias: odds of about 2e-9."""


@dataclass(frozen=True)
class Regression:
    """The training data of a regression and the penalties at which it is fitted."""

    features: Tensor
    """(N, D)"""
    targets: Tensor
    """(N,) class indices; (N,) real numbers, whose standard deviation should be about 1 because penalties assume it; or
    (N, K) 0 and 1 for multi-label targets."""
    penalties: Sequence[float]
    """The values of `l2`, above 0."""
    row_weights: Tensor | None = None
    """(N,) the weight of each row in the mean loss of `solve_logistic` and `solve_labels`, above 0; None for equal
    weights. Only their ratios matter."""
    components: int | None = None
    """The number of principal components that are read; None for all."""
    whitens: bool = False
    """Whether the components are scaled to variance 1."""

    @property
    def axes(self) -> Axes:
        """The principal axes that are read."""
        axes = Axes.of(self.features)
        return axes.projected(self.components, self.whitens) if self.components or self.whitens else axes


def logistic_regressions(
    features: Tensor, targets: Tensor, classes: int, penalties: Sequence[float], max_steps: int = 500
) -> list[Linear]:
    """Returns a logistic regression for each penalty; it is fitted on standardised features but maps raw features.

    The model is multinomial; for two classes the logits are minus and plus half the log-odds.

    Args:
        features: (N, D).
        targets: (N,) class indices; a class that does not occur is never predicted.
        classes: The number of classes.
        penalties: The values of `l2`, above 0.
        max_steps: The maximum number of L-BFGS steps; a regression that has not converged by then is returned as it is.
    """
    return solve_logistic([Regression(features, targets, penalties)], classes, max_steps)[0]


def ridge_regressions(features: Tensor, targets: Tensor, penalties: Sequence[float]) -> list[Linear]:
    """Returns a ridge regression for each penalty; it is fitted on standardised features but maps raw features.

    The solution is computed in closed form.

    Args:
        features: (N, D).
        targets: (N,) real numbers, whose standard deviation should be about 1 because the penalties assume it.
        penalties: The values of `l2`, above 0.
    """
    return solve_ridge([Regression(features, targets, penalties)])[0]


def solve_logistic(problems: Sequence[Regression], classes: int, max_steps: int = 500) -> list[list[Linear]]:
    """Returns the `logistic_regressions` of each problem; problems of similar size are solved together."""
    return _solve([_PreparedRegression.of_classes(problem, classes) for problem in problems], max_steps)


def solve_labels(problems: Sequence[Regression], max_steps: int = 500) -> list[list[Linear]]:
    """Returns for each penalty of each problem independent logistic regressions of all labels, as one map to log-odds.

    A label that every training example has is always predicted, and one that no training example has is never
    predicted; the weights of both are zero.
    """
    return _solve([_PreparedRegression.of_labels(problem) for problem in problems], max_steps)


def _solve(regressions: Sequence[_PreparedRegression], max_steps: int) -> list[list[Linear]]:
    stackable: dict[tuple[object, ...], list[int]] = {}
    for index, one in enumerate(regressions):
        stackable.setdefault(one.stack_key, []).append(index)
    solved: dict[int, list[Linear]] = {}
    for indices in stackable.values():
        for chunk in _chunks(indices, regressions):
            solutions = _solve_together([regressions[i] for i in chunk], max_steps)
            for index, maps in zip(chunk, solutions, strict=True):
                solved[index] = [_with_all_outputs(one, regressions[index]) for one in maps]
    return [solved[index] for index in range(len(regressions))]


def solve_ridge(problems: Sequence[Regression]) -> list[list[Linear]]:
    """Returns what `ridge_regressions` returns for each problem; one matrix product solves all penalties of a problem.

    Problems are solved one after another: nearly all of the time goes into the eigendecomposition of each one's
    features, which cannot be shared.

    Raises:
        ValueError: A problem has row weights.
    """
    if any(problem.row_weights is not None for problem in problems):
        raise ValueError("ridge regressions take no row weights")
    return [_solve_one_ridge(problem.axes, problem) for problem in problems]


def _solve_one_ridge(axes: Axes, problem: Regression) -> list[Linear]:
    y = problem.targets.to(axes.rows.dtype)
    mean = y.mean()
    # Along the principal axes the normal equations are diagonal: a slope is covariance / (variance + l2).
    moments = axes.rows.T @ (y - mean) / len(y)
    slopes = moments / (axes.variances + y.new_tensor(problem.penalties)[:, None])
    return axes.on_raw_features(torch.cat([slopes, mean.expand(len(slopes), 1)], dim=1)[:, :, None])


@dataclass(frozen=True)
class _PreparedRegression:
    """A logistic regression on its features' principal axes, restricted to the classes or labels that can be learned.

    Labels are binary problems that share their rows: each label at each penalty is a separate setting of the solver.
    """

    axes: Axes
    one_hot: Tensor
    """(N, C) bool, the one-hot classes or multi-hot labels."""
    learned: Tensor
    """(C,) the index of each learned class or label among all outputs."""
    default_bias: Tensor
    """(outputs,) the biases of outputs that cannot be learned; for classes, relative to the lowest learned bias."""
    penalties: Sequence[float]
    row_weights: Tensor
    """(N,) the weight of each row in the mean, summing to 1."""
    labels: bool

    @classmethod
    def of_classes(cls, problem: Regression, classes: int) -> _PreparedRegression:
        learned, compact = torch.unique(problem.targets, return_inverse=True)
        one_hot = torch.nn.functional.one_hot(compact, len(learned)).bool()
        default_bias = problem.features.new_full((classes,), ABSENT_BIAS, dtype=wide(problem.features.dtype))
        axes, weights = problem.axes, _row_weights(problem)
        return cls(axes, one_hot, learned, default_bias, problem.penalties, weights, labels=False)

    @classmethod
    def of_labels(cls, problem: Regression) -> _PreparedRegression:
        one_hot = problem.targets.bool()
        always = one_hot.all(0)
        learned = (one_hot.any(0) & ~always).nonzero()[:, 0]
        default_bias = torch.where(always, -ABSENT_BIAS, ABSENT_BIAS).to(wide(problem.features.dtype))
        axes, weights = problem.axes, _row_weights(problem)
        return cls(axes, one_hot[:, learned], learned, default_bias, problem.penalties, weights, labels=True)

    @property
    def outputs(self) -> int:
        """The number of logits per penalty; one is enough for two classes."""
        count = self.one_hot.shape[1]
        return 1 if count == 2 and not self.labels else count

    @property
    def stack_key(self) -> tuple[object, ...]:
        """A key that is equal for problems that can be stacked without much padding."""
        # Row counts of equal bit length differ by less than a factor of two, so at most half of a stack is padding.
        rows = self.axes.rows
        return len(self.penalties), len(self.learned), rows.dtype, rows.device, len(rows).bit_length()


def _row_weights(problem: Regression) -> Tensor:
    weights, count = problem.row_weights, len(problem.features)
    if weights is None:
        return torch.full((count,), 1 / count, dtype=torch.float64)
    return weights.double() / weights.double().sum()


def _chunks(indices: list[int], regressions: Sequence[_PreparedRegression]) -> list[list[int]]:
    """Returns the indices in chunks whose stacked rows and logits have at most `CHUNK_ELEMENTS` elements."""
    largest = max(
        max(one.axes.rows.numel(), len(one.one_hot) * one.outputs * len(one.penalties))
        for one in (regressions[i] for i in indices)
    )
    width = max(1, CHUNK_ELEMENTS // max(1, largest))
    return [indices[first : first + width] for first in range(0, len(indices), width)]


def _solve_together(problems: Sequence[_PreparedRegression], max_steps: int) -> list[list[Linear]]:
    """Returns for each problem one map per penalty; the problems must have equal `stack_key`s.

    Penalties are solved in chunks of at most `CHUNK_ELEMENTS` logits.
    """
    elements = sum(len(problem.one_hot) for problem in problems) * problems[0].outputs
    width = max(1, CHUNK_ELEMENTS // max(1, elements))
    stack = _PaddedStack.of(problems)
    solved: list[list[Linear]] = [[] for _ in problems]
    for first in range(0, len(problems[0].penalties), width):
        penalties = stack.rows.new_tensor([problem.penalties[first : first + width] for problem in problems])
        for maps, problem, solution in zip(solved, problems, stack.solve(penalties, max_steps), strict=True):
            # Removes the padding axes of this problem, and keeps the bias, which is last.
            kept = torch.cat([solution[:, : problem.axes.rows.shape[1]], solution[:, -1:]], dim=1)
            maps.extend(problem.axes.on_raw_features(kept))
    return solved


@dataclass(frozen=True)
class _PaddedStack:
    """Problems padded to one size with rows of weight 0 and axes of variance 0, which change no result."""

    rows: Tensor
    """(G, N, R)"""
    row_weights: Tensor
    """(G, N)"""
    one_hot: Tensor
    """(G, N, C)"""
    variances: Tensor
    """(G, R)"""
    labels: bool

    @classmethod
    def of(cls, problems: Sequence[_PreparedRegression]) -> _PaddedStack:
        one_hots = [one.one_hot.to(one.axes.rows.dtype) for one in problems]
        row_weights = [one.row_weights.to(one.axes.rows) for one in problems]
        rows, variances = [one.axes.rows for one in problems], [one.axes.variances for one in problems]
        return cls(
            rows=_pad_and_stack(rows),
            row_weights=_pad_and_stack(row_weights),
            one_hot=_pad_and_stack(one_hots),
            variances=_pad_and_stack(variances),
            labels=problems[0].labels,
        )

    def solve(self, penalties: Tensor, max_steps: int) -> Tensor:
        """Returns the weights on the axes with the bias last, (G, S, R + 1, C), for penalties (G, S)."""
        return (self._solve_labels if self.labels else self._solve_classes)(penalties, max_steps)

    def _solve_labels(self, penalties: Tensor, max_steps: int) -> Tensor:
        (groups, columns), labels = penalties.shape, self.one_hot.shape[-1]
        size = self.rows.shape[-1] + 1
        if not labels:
            return self.rows.new_zeros(groups, columns, size, 0)
        prior = torch.bmm(self.row_weights[:, None], self.one_hot)[:, 0].logit().repeat_interleave(columns, 1)
        # All labels are columns of one binary problem: label 0 at each penalty, then label 1 at each, and so on.
        penalties = penalties.repeat(1, labels)
        scale = _curvature(self.variances, penalties, 2).rsqrt()[:, :, None]
        start = self.rows.new_zeros(groups, size, 1, labels * columns)
        # Starting from the log-odds of the label frequencies saves the steps that would find the bias.
        start[:, -1] = prior[:, None] / scale[:, -1]
        one_hot = self.one_hot.repeat_interleave(columns, 2)[:, :, None]
        solution = minimise(
            Problem(self.rows, self.row_weights, one_hot, penalties, scale, binary=True), start, max_steps
        )
        return solution.view(groups, size, labels, columns).movedim(-1, 1)

    def _solve_classes(self, penalties: Tensor, max_steps: int) -> Tensor:
        one_hot, classes = self.one_hot, self.one_hot.shape[-1]
        prior = torch.bmm(self.row_weights[:, None], one_hot)[:, 0].log()
        # Two classes need one logit, the log-odds; a softmax over two would have a redundant direction.
        binary = classes == 2
        if binary:
            one_hot, prior = one_hot[..., 1:], prior[:, 1:] - prior[:, :1]
        groups, columns = penalties.shape
        start = self.rows.new_zeros(groups, self.rows.shape[-1] + 1, one_hot.shape[-1], columns)
        if classes == 1:
            return start.movedim(-1, 1)
        scale = _curvature(self.variances, penalties, classes).rsqrt()[:, :, None]
        start[:, -1] = prior[:, :, None] / scale[:, -1]
        problem = Problem(self.rows, self.row_weights, one_hot[..., None], penalties, scale, binary)
        solution = minimise(problem, start, max_steps).movedim(-1, 1)
        return torch.cat([-solution / 2, solution / 2], dim=-1) if binary else solution


def _pad_and_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Returns the tensors stacked, padded with zeros at their ends."""
    if len(tensors) == 1:
        return tensors[0][None]
    shape = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
    stack = tensors[0].new_zeros(len(tensors), *shape)
    for place, tensor in zip(stack, tensors, strict=True):
        place[tuple(slice(size) for size in tensor.shape)] = tensor
    return stack


def _curvature(variances: Tensor, penalties: Tensor, classes: int) -> Tensor:
    """Returns the approximate curvature (G, R + 1, S) of the objective along each axis and along the bias."""
    # The variance p (1 - p) of a class indicator under uniform predictions, p = 1 / classes.
    spread = (1 - 1 / classes) / classes
    along = spread * variances[:, :, None] + penalties[:, None]
    return torch.cat([along, along.new_full((len(along), 1, along.shape[-1]), spread)], dim=1)


def _with_all_outputs(one: Linear, problem: _PreparedRegression) -> Linear:
    """Returns the map with rows added for outputs that could not be learned."""
    learned, bias = problem.learned, problem.default_bias.clone()
    if len(learned) == len(bias):
        return one
    if not problem.labels:
        bias += one.bias.min()
    weight = one.weight.new_zeros(len(bias), one.weight.shape[1])
    weight[learned], bias[learned] = one.weight, one.bias
    return Linear(weight, bias)
