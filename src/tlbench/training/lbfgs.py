"""Batched L-BFGS for logistic regressions: several sets of rows (G), each with several penalties (S).

Every product is one batched product over the sets. The last dimension of every tensor here counts the penalties, so
that arithmetic over them is contiguous. What belongs to one penalty of one set is called a setting.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

HISTORY = 10
TOLERANCE = 1e-8
"""On the squared length of the gradient, which in these units is about twice what is left to gain."""
HALVINGS = 25
SUFFICIENT = 1e-4
"""The share of the promised decrease that a step must bring (Armijo)."""


@dataclass(frozen=True)
class Problem:
    """Mean cross-entropy plus l2 / 2 * |weights|^2, for each setting; the bias, the last row, is free.

    It is minimised in units in which it curves alike in every direction: weights = units * `scale`.
    """

    rows: Tensor
    """(G, N, R)"""
    shares: Tensor
    """(G, N) what each row counts for: 1 over the number of its set's rows, or 0 for rows that only fill up."""
    hot: Tensor
    """(G, N, K, 1) one where the class is; or zero and one for two classes, (G, N, 1, 1), or (G, N, 1, S) where each
    setting has two classes of its own."""
    penalties: Tensor
    """(G, S)"""
    scale: Tensor
    """(G, R + 1, 1, S)"""
    binary: bool

    def only(self, sets: Tensor, columns: Tensor) -> Problem:
        """Returns the problem of these sets and these of their penalties alone."""
        rows, shares, hot = self.rows, self.shares, self.hot
        if len(sets) < len(rows):
            rows, shares, hot = rows[sets], shares[sets], hot[sets]
        if len(columns) < hot.shape[-1]:
            hot = hot[..., columns]
        return Problem(rows, shares, hot, _cut(self.penalties, sets, columns), _cut(self.scale, sets, columns),
                       self.binary)  # fmt: skip

    def logits(self, units: Tensor) -> Tensor:
        """Returns (G, N, K, S) for units (G, R + 1, K, S)."""
        weights = (units * self.scale).flatten(2)
        flat = _product(self.rows, weights[:, :-1]).add_(weights[:, -1:])
        return flat.view(*self.rows.shape[:2], *units.shape[2:])

    def value(self, logits: Tensor, square: Tensor) -> Tensor:
        """Returns (G, S) the objective; `square` (G, S) is the squared length of the weights without the bias."""
        if self.binary:
            loss = torch.nn.functional.softplus(logits) - self.hot * logits
        else:
            loss = logits.logsumexp(2, keepdim=True) - (self.hot * logits).sum(2, keepdim=True)
        # summed in pairs, not by a product, whose rounding would keep the line search from seeing the last steps down
        mean = (loss.squeeze(2) * self.shares[:, :, None]).sum(1)
        return mean + 0.5 * self.penalties * square

    def gradient(self, units: Tensor, logits: Tensor) -> Tensor:
        """Returns (G, R + 1, K, S) with respect to the units."""
        residual = (logits.sigmoid() if self.binary else logits.softmax(2)) - self.hot
        residual = residual * self.shares[:, :, None, None]
        along = _product(self.rows.mT, residual.flatten(2)).view(len(units), -1, *units.shape[2:])
        along = along + self.penalties[:, None, None] * (units[:, :-1] * self.scale[:, :-1])
        return torch.cat([along, residual.sum(1, keepdim=True)], dim=1) * self.scale


def minimise(problem: Problem, start: Tensor, max_steps: int) -> Tensor:
    """Returns (G, R + 1, K, S) the weights that minimise the problem, from units (G, R + 1, K, S).

    A setting that has converged stays where it is, so that its result does not hang on its neighbours; a set all of
    whose settings have converged leaves the batch, and so does a penalty that is done in every set.
    """
    result = start * problem.scale
    sets = torch.arange(start.shape[0], device=start.device)
    columns = torch.arange(start.shape[-1], device=start.device)
    state = _State(problem, start)
    for _ in range(max_steps):
        if not bool(state.going.all()):
            result[sets[:, None], ..., columns] = _settings_first(state.weights)
            if not bool(state.going.any()):
                return result
            keep_sets, keep_columns = state.going.any(1).nonzero()[:, 0], state.going.any(0).nonzero()[:, 0]
            if len(keep_sets) < len(sets) or len(keep_columns) < len(columns):
                sets, columns = sets[keep_sets], columns[keep_columns]
                state.keep(keep_sets, keep_columns)
        state.step()
    result[sets[:, None], ..., columns] = _settings_first(state.weights)
    return result


class _State:
    """Where each setting stands, and the last few steps that its curvature is learnt from."""

    def __init__(self, problem: Problem, units: Tensor) -> None:
        self.problem = problem
        self.units = units
        self.logits = problem.logits(units)
        self.gradient = problem.gradient(units, self.logits)
        weights = units[:, :-1] * problem.scale[:, :-1]
        self.value = problem.value(self.logits, _dot(weights, weights))
        self.going = _dot(self.gradient, self.gradient) > TOLERANCE
        self.history: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=HISTORY)

    @property
    def weights(self) -> Tensor:
        """(G, R + 1, K, S), as the problem's rows want them."""
        return self.units * self.problem.scale

    def keep(self, sets: Tensor, columns: Tensor) -> None:
        """Drops the other sets and penalties."""

        def cut(tensor: Tensor) -> Tensor:
            return _cut(tensor, sets, columns)

        self.problem = self.problem.only(sets, columns)
        self.units, self.logits, self.gradient = cut(self.units), cut(self.logits), cut(self.gradient)
        self.value, self.going = cut(self.value), cut(self.going)
        self.history = deque(((cut(s), cut(y), cut(r)) for s, y, r in self.history), maxlen=HISTORY)

    def step(self) -> None:
        """Goes one step down in every setting that is going; one that finds no way down is at rounding error."""
        direction = self._direction()
        logits = self.problem.logits(direction)
        length = self._line_search(direction, logits)
        moved = _wide(length) * direction
        self.units = self.units + moved
        self.logits = self.logits + _wide(length) * logits
        gradient = self.problem.gradient(self.units, self.logits)
        change = gradient - self.gradient
        curvature = _dot(moved, change)
        self.gradient = gradient
        self.history.append((moved, change, torch.where(curvature > 0, 1 / curvature, 0.0)))
        self.going &= (length > 0) & (_dot(gradient, gradient) > TOLERANCE)

    def _direction(self) -> Tensor:
        """Returns (G, R + 1, K, S) by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4)."""
        q = -self.gradient
        shares = []
        for moved, change, inverse in reversed(self.history):
            share = inverse * _dot(moved, q)
            q = q - _wide(share) * change
            shares.append(share)
        if self.history:
            _, change, inverse = self.history[-1]
            q = q * _wide(torch.where(inverse > 0, 1 / (inverse * _dot(change, change)), 1.0))
        for (moved, change, inverse), share in zip(self.history, reversed(shares), strict=True):
            q = q + moved * _wide(share - inverse * _dot(change, q))
        return q

    def _line_search(self, direction: Tensor, logits: Tensor) -> Tensor:
        """Returns (G, S) step lengths: 1, or halved until the decrease suffices; 0 where it never does."""
        scale = self.problem.scale[:, :-1]
        weights, ahead = self.units[:, :-1] * scale, direction[:, :-1] * scale
        squares = _dot(weights, weights), 2 * _dot(weights, ahead), _dot(ahead, ahead)
        slope = _dot(self.gradient, direction)
        slack = torch.finfo(slope.dtype).eps * self.value.abs()
        length = self.going.to(slope.dtype)
        for _ in range(HALVINGS):
            square = squares[0] + length * squares[1] + length**2 * squares[2]
            value = self.problem.value(self.logits + _wide(length) * logits, square)
            good = (value <= self.value + SUFFICIENT * length * slope + slack) | ~self.going
            if bool(good.all()):
                break
            length = torch.where(good, length, length / 2)
        moved = good & self.going
        self.value = torch.where(moved, value, self.value)
        return torch.where(moved, length, 0.0)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Returns (G, N, C) of (G, N, R) and (G, R, C)."""
    if b.shape[-1] == 1 and b.device.type == "cpu":
        # the batched product has no fast way for single columns: some ten times as slow as one after another
        return torch.stack([x @ y for x, y in zip(a, b, strict=True)])
    return torch.bmm(a, b)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Returns (G, S) the inner products."""
    return (a * b).sum((1, 2))


def _wide(per_setting: Tensor) -> Tensor:
    """Returns (G, 1, 1, S) of (G, S)."""
    return per_setting[:, None, None]


def _cut(tensor: Tensor, sets: Tensor, columns: Tensor) -> Tensor:
    """Returns the tensor with these of its first and these of its last dimension."""
    if len(sets) < tensor.shape[0]:
        tensor = tensor[sets]
    return tensor[..., columns] if len(columns) < tensor.shape[-1] else tensor


def _settings_first(tensor: Tensor) -> Tensor:
    """Returns (G, S, ...) of (G, ..., S): the shape in which torch wants what is written at two lists of indices."""
    return tensor.movedim(-1, 1)
