"""Many regularised linear heads at once, on features that were computed once.

All penalties of a problem share its features, and problems of like size (the training subsets of several seeds, say)
are stacked: one pass is one batched product, whatever their number. Each result is the one that it would be alone.

The penalty `l2` stands beside a mean over examples: mean loss + l2 / 2 * |weights|^2, the bias is free. In
scikit-learn's terms that is C = 1 / (l2 * N) for `LogisticRegression` and alpha = l2 * N for `Ridge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tlbench.training.axes import Axes, Linear
from tlbench.training.lbfgs import Problem, minimise

CHUNK_ELEMENTS = 2**26
"""Rows and logits held at a time: more problems or penalties than fit into these go one chunk after another."""
ABSENT_BIAS = -20.0
"""How far below the others the logit of a class that training never showed is put."""


@dataclass(frozen=True)
class Regression:
    """What one regression is fitted on, and with which penalties."""

    features: Tensor
    """(N, D)"""
    targets: Tensor
    """(N,) class indices, or real numbers of about unit deviation, which the penalty is meant for."""
    penalties: Sequence[float]
    """`l2` of each setting, above 0."""


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
    return solve_logistic([Regression(features, targets, penalties)], classes, max_steps)[0]


def ridge_regressions(features: Tensor, targets: Tensor, penalties: Sequence[float]) -> list[Linear]:
    """Returns the least-squares fit of real numbers for each penalty, in closed form, on standardised features.

    Args:
        features: (N, D).
        targets: (N,) real numbers. The penalty is meant for numbers of unit deviation: pass them so.
        penalties: `l2` of each setting, above 0.
    """
    return solve_ridge([Regression(features, targets, penalties)])[0]


def solve_logistic(problems: Sequence[Regression], classes: int, max_steps: int = 500) -> list[list[Linear]]:
    """Returns what `logistic_regressions` gives for each problem; those of like size are solved together."""
    prepared = [_Prepared.of(problem) for problem in problems]
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, one in enumerate(prepared):
        alike.setdefault(one.size_class, []).append(index)
    solved: dict[int, list[Linear]] = {}
    for indices in alike.values():
        for chunk in _chunks(indices, prepared):
            solutions = _solve_together([prepared[i] for i in chunk], max_steps)
            for index, maps in zip(chunk, solutions, strict=True):
                solved[index] = [_all_classes(one, prepared[index].seen, classes) for one in maps]
    return [solved[index] for index in range(len(problems))]


def solve_ridge(problems: Sequence[Regression]) -> list[list[Linear]]:
    """Returns what `ridge_regressions` gives for each problem: one product for all of its penalties.

    Problems follow one another: nearly all of the time goes into turning each one's features into their axes,
    where there is nothing to share.
    """
    return [_ridge(Axes.of(problem.features), problem) for problem in problems]


def _ridge(axes: Axes, problem: Regression) -> list[Linear]:
    y = problem.targets.to(axes.rows.dtype)
    mean = y.mean()
    moments = axes.rows.T @ (y - mean) / len(y)
    slopes = moments / (axes.variances + y.new_tensor(problem.penalties)[:, None])
    return axes.unfold(torch.cat([slopes, mean.expand(len(slopes), 1)], dim=1)[:, :, None])


@dataclass(frozen=True)
class _Prepared:
    """A logistic regression along its features' axes."""

    axes: Axes
    targets: Tensor
    """(N,) indices into `seen`."""
    seen: Tensor
    """The classes that occur."""
    penalties: Sequence[float]

    @classmethod
    def of(cls, problem: Regression) -> _Prepared:
        seen, compact = torch.unique(problem.targets, return_inverse=True)
        return cls(Axes.of(problem.features), compact, seen, problem.penalties)

    @property
    def outputs(self) -> int:
        """K: of two classes one logit is enough."""
        return 1 if len(self.seen) == 2 else len(self.seen)

    @property
    def size_class(self) -> tuple[object, ...]:
        """Equal for problems that are worth stacking: what is filled up is less than what is there."""
        rows = self.axes.rows
        return len(self.penalties), len(self.seen), rows.dtype, rows.device, len(rows).bit_length()


def _chunks(indices: list[int], prepared: Sequence[_Prepared]) -> list[list[int]]:
    """Returns the indices in groups whose stacked rows and logits fit into `CHUNK_ELEMENTS`."""
    largest = max(
        max(prepared[i].axes.rows.numel(), len(prepared[i].targets) * prepared[i].outputs * len(prepared[i].penalties))
        for i in indices
    )
    width = max(1, CHUNK_ELEMENTS // max(1, largest))
    return [indices[first : first + width] for first in range(0, len(indices), width)]


def _solve_together(problems: Sequence[_Prepared], max_steps: int) -> list[list[Linear]]:
    """Returns the maps of problems of one size class; penalties that do not fit at once go in chunks."""
    elements = sum(len(problem.targets) for problem in problems) * problems[0].outputs
    width = max(1, CHUNK_ELEMENTS // max(1, elements))
    stack = _Stack.of(problems)
    solved: list[list[Linear]] = [[] for _ in problems]
    for first in range(0, len(problems[0].penalties), width):
        penalties = stack.rows.new_tensor([problem.penalties[first : first + width] for problem in problems])
        for maps, problem, solution in zip(solved, problems, stack.solve(penalties, max_steps), strict=True):
            kept = torch.cat([solution[:, : problem.axes.rows.shape[1]], solution[:, -1:]], dim=1)
            maps.extend(problem.axes.unfold(kept))
    return solved


@dataclass(frozen=True)
class _Stack:
    """Problems filled up to one size: rows that count for nothing, and axes along which nothing varies."""

    rows: Tensor
    """(G, N, R)"""
    shares: Tensor
    """(G, N)"""
    hot: Tensor
    """(G, N, C)"""
    variances: Tensor
    """(G, R)"""

    @classmethod
    def of(cls, problems: Sequence[_Prepared]) -> _Stack:
        classes = len(problems[0].seen)
        hots = [torch.nn.functional.one_hot(one.targets, classes).to(one.axes.rows.dtype) for one in problems]
        shares = [hot.new_full((len(hot),), 1 / len(hot)) for hot in hots]
        rows, variances = [one.axes.rows for one in problems], [one.axes.variances for one in problems]
        return cls(_stacked(rows), _stacked(shares), _stacked(hots), _stacked(variances))

    def solve(self, penalties: Tensor, max_steps: int) -> Tensor:
        """Returns (G, S, R + 1, C) for penalties (G, S): the weights on the axes and, last, the bias of each class."""
        hot, classes = self.hot, self.hot.shape[-1]
        prior = torch.bmm(self.shares[:, None], hot)[:, 0].log()
        binary = classes == 2
        if binary:
            hot, prior = hot[..., 1:], prior[:, 1:] - prior[:, :1]
        groups, columns = penalties.shape
        start = self.rows.new_zeros(groups, self.rows.shape[-1] + 1, hot.shape[-1], columns)
        if classes == 1:
            return start.movedim(-1, 1)
        scale = _curvature(self.variances, penalties, classes).rsqrt()[:, :, None]
        start[:, -1] = prior[:, :, None] / scale[:, -1]
        problem = Problem(self.rows, self.shares, hot[..., None], penalties, scale, binary)
        solution = minimise(problem, start, max_steps).movedim(-1, 1)
        return torch.cat([-solution / 2, solution / 2], dim=-1) if binary else solution


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Returns the tensors stacked, filled up with zeros at their ends."""
    if len(tensors) == 1:
        return tensors[0][None]
    shape = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
    stack = tensors[0].new_zeros(len(tensors), *shape)
    for place, tensor in zip(stack, tensors, strict=True):
        place[tuple(slice(size) for size in tensor.shape)] = tensor
    return stack


def _curvature(variances: Tensor, penalties: Tensor, classes: int) -> Tensor:
    """Returns (G, R + 1, S): about how much the objective curves along each axis and along the bias."""
    spread = (1 - 1 / classes) / classes
    along = spread * variances[:, :, None] + penalties[:, None]
    return torch.cat([along, along.new_full((len(along), 1, along.shape[-1]), spread)], dim=1)


def _all_classes(one: Linear, seen: Tensor, classes: int) -> Linear:
    """Returns the map with a row for classes that training never showed."""
    if len(seen) == classes:
        return one
    full = one.weight.new_zeros(classes, one.weight.shape[1])
    full[seen] = one.weight
    low = one.bias.new_full((classes,), float(one.bias.min()) + ABSENT_BIAS)
    low[seen] = one.bias
    return Linear(full, low)
