"""Batched L-BFGS for logistic regressions that share their rows and differ in their penalty.

The last dimension of every tensor here counts the settings (S), so that arithmetic over them is contiguous.
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
    """(N, R)"""
    hot: Tensor
    """(N, K, 1) one where the class is, or (N, 1, 1) zero and one for two classes."""
    penalties: Tensor
    """(S,)"""
    scale: Tensor
    """(R + 1, 1, S)"""
    binary: bool

    def only(self, kept: Tensor) -> Problem:
        """Returns the problem of these settings alone."""
        return Problem(self.rows, self.hot, self.penalties[kept], self.scale[..., kept], self.binary)

    def logits(self, units: Tensor) -> Tensor:
        """Returns (N, K, S) for units (R + 1, K, S)."""
        weights = units * self.scale
        flat = torch.addmm(weights[-1].reshape(1, -1), self.rows, weights[:-1].reshape(self.rows.shape[1], -1))
        return flat.view(len(self.rows), *units.shape[1:])

    def value(self, logits: Tensor, square: Tensor) -> Tensor:
        """Returns (S,) the objective; `square` (S,) is the squared length of the weights without the bias."""
        if self.binary:
            loss = torch.nn.functional.softplus(logits) - self.hot * logits
        else:
            loss = logits.logsumexp(1, keepdim=True) - (self.hot * logits).sum(1, keepdim=True)
        return loss.mean(0)[0] + 0.5 * self.penalties * square

    def gradient(self, units: Tensor, logits: Tensor) -> Tensor:
        """Returns (R + 1, K, S) with respect to the units."""
        residual = ((logits.sigmoid() if self.binary else logits.softmax(1)) - self.hot) / len(self.rows)
        along = (self.rows.T @ residual.reshape(len(self.rows), -1)).view(-1, *units.shape[1:])
        along = along + self.penalties * (units[:-1] * self.scale[:-1])
        return torch.cat([along, residual.sum(0, keepdim=True)]) * self.scale


def minimise(problem: Problem, start: Tensor, max_steps: int) -> Tensor:
    """Returns (R + 1, K, S) the weights that minimise the problem, from units (R + 1, K, S).

    A setting that has converged leaves the batch, so that its result does not hang on its neighbours.
    """
    result = start * problem.scale
    alive = torch.arange(start.shape[-1], device=start.device)
    state = _State(problem, start)
    for _ in range(max_steps):
        going = _dot(state.gradient, state.gradient) > TOLERANCE
        going &= ~state.stuck
        if not bool(going.all()):
            result[..., alive] = state.units * state.problem.scale
            if not bool(going.any()):
                return result
            alive = alive[going]
            state.keep(going)
        state.step()
    result[..., alive] = state.units * state.problem.scale
    return result


class _State:
    """Where each setting stands, and the last few steps that its curvature is learnt from."""

    def __init__(self, problem: Problem, units: Tensor) -> None:
        self.problem = problem
        self.units = units
        self.logits = problem.logits(units)
        self.gradient = problem.gradient(units, self.logits)
        weights = units[:-1] * problem.scale[:-1]
        self.value = problem.value(self.logits, _dot(weights, weights))
        self.stuck = torch.zeros(units.shape[-1], dtype=torch.bool, device=units.device)
        self.history: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=HISTORY)

    def keep(self, kept: Tensor) -> None:
        """Drops the other settings."""
        self.problem = self.problem.only(kept)
        self.units, self.logits = self.units[..., kept], self.logits[..., kept]
        self.gradient, self.value, self.stuck = self.gradient[..., kept], self.value[kept], self.stuck[kept]
        self.history = deque(((s[..., kept], y[..., kept], r[kept]) for s, y, r in self.history), maxlen=HISTORY)

    def step(self) -> None:
        """Goes one step down in every setting; one that finds no way down is stuck, at rounding error."""
        direction = self._direction()
        logits = self.problem.logits(direction)
        length = self._line_search(direction, logits)
        self.stuck = length == 0
        moved = length * direction
        self.units = self.units + moved
        self.logits = self.logits + length * logits
        gradient = self.problem.gradient(self.units, self.logits)
        change = gradient - self.gradient
        curvature = _dot(moved, change)
        self.gradient = gradient
        self.history.append((moved, change, torch.where(curvature > 0, 1 / curvature, 0.0)))

    def _direction(self) -> Tensor:
        """Returns (R + 1, K, S) by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4)."""
        q = -self.gradient
        shares = []
        for moved, change, inverse in reversed(self.history):
            share = inverse * _dot(moved, q)
            q = q - share * change
            shares.append(share)
        if self.history:
            _, change, inverse = self.history[-1]
            q = q * torch.where(inverse > 0, 1 / (inverse * _dot(change, change)), 1.0)
        for (moved, change, inverse), share in zip(self.history, reversed(shares), strict=True):
            q = q + moved * (share - inverse * _dot(change, q))
        return q

    def _line_search(self, direction: Tensor, logits: Tensor) -> Tensor:
        """Returns (S,) step lengths: 1, or halved until the decrease suffices; 0 where it never does."""
        weights, ahead = self.units[:-1] * self.problem.scale[:-1], direction[:-1] * self.problem.scale[:-1]
        squares = _dot(weights, weights), 2 * _dot(weights, ahead), _dot(ahead, ahead)
        slope = _dot(self.gradient, direction)
        slack = torch.finfo(slope.dtype).eps * self.value.abs()
        length = torch.ones_like(slope)
        for _ in range(HALVINGS):
            square = squares[0] + length * squares[1] + length**2 * squares[2]
            value = self.problem.value(self.logits + length * logits, square)
            good = value <= self.value + SUFFICIENT * length * slope + slack
            if bool(good.all()):
                break
            length = torch.where(good, length, length / 2)
        self.value = torch.where(good, value, self.value)
        return torch.where(good, length, 0.0)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Returns (S,) the inner products."""
    return (a * b).sum((0, 1))
