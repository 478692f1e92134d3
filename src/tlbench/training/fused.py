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

from tlbench.modeling.precision import wide
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
    """(N,) class indices, or real numbers of about unit deviation, which the penalty is meant for; (N, K) 0 and 1 of
    labels that do not exclude each other."""
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
    return _solve([_Prepared.of_classes(problem, classes) for problem in problems], max_steps)


def solve_labels(problems: Sequence[Regression], max_steps: int = 500) -> list[list[Linear]]:
    """Returns, for each penalty of each problem, a logistic regression of every label on its own: log-odds (N, K).

    A label's result is the one that it would be alone. One that training always or never showed gets no weights and
    is always or never predicted.
    """
    return _solve([_Prepared.of_labels(problem) for problem in problems], max_steps)


def _solve(prepared: Sequence[_Prepared], max_steps: int) -> list[list[Linear]]:
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, one in enumerate(prepared):
        alike.setdefault(one.size_class, []).append(index)
    solved: dict[int, list[Linear]] = {}
    for indices in alike.values():
        for chunk in _chunks(indices, prepared):
            solutions = _solve_together([prepared[i] for i in chunk], max_steps)
            for index, maps in zip(chunk, solutions, strict=True):
                solved[index] = [_all_outputs(one, prepared[index]) for one in maps]
    return [solved[index] for index in range(len(prepared))]


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
    """A logistic regression along its features' axes, of those classes or labels that there is something to learn of.

    Labels are binary problems that share their rows: each label with each penalty is a setting of its own.
    """

    axes: Axes
    hot: Tensor
    """(N, C) bool, where each class or label is."""
    seen: Tensor
    """(C,) the place of each among all outputs."""
    absent: Tensor
    """(outputs,) the logits of those that are not learnt; of classes, beside the lowest of those that are."""
    penalties: Sequence[float]
    labels: bool

    @classmethod
    def of_classes(cls, problem: Regression, classes: int) -> _Prepared:
        seen, compact = torch.unique(problem.targets, return_inverse=True)
        hot = torch.nn.functional.one_hot(compact, len(seen)).bool()
        absent = problem.features.new_full((classes,), ABSENT_BIAS, dtype=wide(problem.features.dtype))
        return cls(Axes.of(problem.features), hot, seen, absent, problem.penalties, labels=False)

    @classmethod
    def of_labels(cls, problem: Regression) -> _Prepared:
        hot = problem.targets.bool()
        always = hot.all(0)
        seen = (hot.any(0) & ~always).nonzero()[:, 0]
        absent = torch.where(always, -ABSENT_BIAS, ABSENT_BIAS).to(wide(problem.features.dtype))
        return cls(Axes.of(problem.features), hot[:, seen], seen, absent, problem.penalties, labels=True)

    @property
    def outputs(self) -> int:
        """How many logits a penalty takes: of two classes one is enough."""
        count = self.hot.shape[1]
        return 1 if count == 2 and not self.labels else count

    @property
    def size_class(self) -> tuple[object, ...]:
        """Equal for problems that are worth stacking: what is filled up is less than what is there."""
        rows = self.axes.rows
        return len(self.penalties), len(self.seen), rows.dtype, rows.device, len(rows).bit_length()


def _chunks(indices: list[int], prepared: Sequence[_Prepared]) -> list[list[int]]:
    """Returns the indices in groups whose stacked rows and logits fit into `CHUNK_ELEMENTS`."""
    largest = max(
        max(prepared[i].axes.rows.numel(), len(prepared[i].hot) * prepared[i].outputs * len(prepared[i].penalties))
        for i in indices
    )
    width = max(1, CHUNK_ELEMENTS // max(1, largest))
    return [indices[first : first + width] for first in range(0, len(indices), width)]


def _solve_together(problems: Sequence[_Prepared], max_steps: int) -> list[list[Linear]]:
    """Returns the maps of problems of one size class; penalties that do not fit at once go in chunks."""
    elements = sum(len(problem.hot) for problem in problems) * problems[0].outputs
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
    labels: bool

    @classmethod
    def of(cls, problems: Sequence[_Prepared]) -> _Stack:
        hots = [one.hot.to(one.axes.rows.dtype) for one in problems]
        shares = [hot.new_full((len(hot),), 1 / len(hot)) for hot in hots]
        rows, variances = [one.axes.rows for one in problems], [one.axes.variances for one in problems]
        return cls(_stacked(rows), _stacked(shares), _stacked(hots), _stacked(variances), problems[0].labels)

    def solve(self, penalties: Tensor, max_steps: int) -> Tensor:
        """Returns (G, S, R + 1, C) for penalties (G, S): the weights on the axes and, last, the bias of each class."""
        return (self._solve_labels if self.labels else self._solve_classes)(penalties, max_steps)

    def _solve_labels(self, penalties: Tensor, max_steps: int) -> Tensor:
        (groups, columns), labels = penalties.shape, self.hot.shape[-1]
        size = self.rows.shape[-1] + 1
        if not labels:
            return self.rows.new_zeros(groups, columns, size, 0)
        prior = torch.bmm(self.shares[:, None], self.hot)[:, 0].logit().repeat_interleave(columns, 1)
        penalties = penalties.repeat(1, labels)
        scale = _curvature(self.variances, penalties, 2).rsqrt()[:, :, None]
        start = self.rows.new_zeros(groups, size, 1, labels * columns)
        start[:, -1] = prior[:, None] / scale[:, -1]
        hot = self.hot.repeat_interleave(columns, 2)[:, :, None]
        solution = minimise(Problem(self.rows, self.shares, hot, penalties, scale, binary=True), start, max_steps)
        return solution.view(groups, size, labels, columns).movedim(-1, 1)

    def _solve_classes(self, penalties: Tensor, max_steps: int) -> Tensor:
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


def _all_outputs(one: Linear, problem: _Prepared) -> Linear:
    """Returns the map with a row for whatever there was nothing to learn of."""
    seen, bias = problem.seen, problem.absent.clone()
    if len(seen) == len(bias):
        return one
    if not problem.labels:
        bias += one.bias.min()
    weight = one.weight.new_zeros(len(bias), one.weight.shape[1])
    weight[seen], bias[seen] = one.weight, one.bias
    return Linear(weight, bias)
