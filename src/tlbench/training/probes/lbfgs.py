"""Batched L-BFGS for logistic regressions: several training sets (G), each with several penalties (S).

Every matrix product is batched over the sets. The last dimension of every tensor is the penalties, so that arithmetic
over them is contiguous. One penalty of one set is called a setting. Nocedal & Wright 2006, chapter 7.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

HISTORY = 10
"""The number of past steps from which the curvature is estimated, as in scikit-learn's solver."""
TOLERANCE = 1e-8
"""The squared gradient norm at which a setting has converged. In rescaled weights (see `Problem`) it is about twice the
remaining decrease of the objective."""
HALVINGS = 25
"""The maximum number of times that the line search halves a step."""
SUFFICIENT = 1e-4
"""The fraction of the decrease predicted by the slope that a step must achieve (the Armijo condition)."""


@dataclass(frozen=True)
class Problem:
    """Mean cross-entropy plus l2 / 2 * |weights|^2 for each setting; the bias, the last row, has no penalty.

    The objective is minimised over rescaled weights (`units`) in which its curvature is about 1 in every direction,
    which saves many steps: weights = units * `scale`.
    """

    rows: Tensor
    """(G, N, R)"""
    row_weights: Tensor
    """(G, N) the weight of each row in the mean: 1 over the number of rows of its set, or 0 for padding rows."""
    one_hot: Tensor
    """Targets: one-hot classes (G, N, K, 1); or for two classes 0 and 1, (G, N, 1, 1), or (G, N, 1, S) if each setting
    has targets of its own."""
    penalties: Tensor
    """(G, S)"""
    scale: Tensor
    """(G, R + 1, 1, S)"""
    binary: bool

    def only(self, sets: Tensor, columns: Tensor) -> Problem:
        """Returns the problem restricted to these sets and penalties."""
        rows, row_weights, one_hot = self.rows, self.row_weights, self.one_hot
        if len(sets) < len(rows):
            rows, row_weights, one_hot = rows[sets], row_weights[sets], one_hot[sets]
        if len(columns) < one_hot.shape[-1]:
            one_hot = one_hot[..., columns]
        return Problem(rows, row_weights, one_hot, _cut(self.penalties, sets, columns), _cut(self.scale, sets, columns),
                       self.binary)  # fmt: skip

    def logits(self, units: Tensor) -> Tensor:
        """Returns the logits (G, N, K, S) for units (G, R + 1, K, S)."""
        weights = (units * self.scale).flatten(2)
        flat = _product(self.rows, weights[:, :-1]).add_(weights[:, -1:])
        return flat.view(*self.rows.shape[:2], *units.shape[2:])

    def value(self, logits: Tensor, square: Tensor) -> Tensor:
        """Returns the objective (G, S); `square` (G, S) is the squared norm of the weights without the bias."""
        # softplus and logsumexp do not overflow for large logits, unlike log(sigmoid) and log(softmax).
        if self.binary:
            loss = torch.nn.functional.softplus(logits) - self.one_hot * logits
        else:
            loss = logits.logsumexp(2, keepdim=True) - (self.one_hot * logits).sum(2, keepdim=True)
        # `sum` adds pairwise; a matrix product rounds more, enough to hide the last decreases from the line search.
        mean = (loss.squeeze(2) * self.row_weights[:, :, None]).sum(1)
        return mean + 0.5 * self.penalties * square

    def gradient(self, units: Tensor, logits: Tensor) -> Tensor:
        """Returns the gradient (G, R + 1, K, S) with respect to the units."""
        residual = (logits.sigmoid() if self.binary else logits.softmax(2)) - self.one_hot
        residual = residual * self.row_weights[:, :, None, None]
        along = _product(self.rows.mT, residual.flatten(2)).view(len(units), -1, *units.shape[2:])
        along = along + self.penalties[:, None, None] * (units[:, :-1] * self.scale[:, :-1])
        return torch.cat([along, residual.sum(1, keepdim=True)], dim=1) * self.scale


def minimise(problem: Problem, start: Tensor, max_steps: int) -> Tensor:
    """Returns the weights (G, R + 1, K, S) that minimise the problem, starting from units (G, R + 1, K, S).

    A converged setting is not updated any more, so that its result does not depend on the others in the batch. Sets
    and penalties of which all settings have converged are removed from the batch to save computation.
    """
    result = start * problem.scale
    sets = torch.arange(start.shape[0], device=start.device)
    columns = torch.arange(start.shape[-1], device=start.device)
    state = _State(problem, start)
    for _ in range(max_steps):
        if not bool(state.active.all()):
            result[sets[:, None], ..., columns] = _settings_first(state.weights)
            if not bool(state.active.any()):
                return result
            keep_sets, keep_columns = state.active.any(1).nonzero()[:, 0], state.active.any(0).nonzero()[:, 0]
            if len(keep_sets) < len(sets) or len(keep_columns) < len(columns):
                sets, columns = sets[keep_sets], columns[keep_columns]
                state.keep(keep_sets, keep_columns)
        state.step()
    result[sets[:, None], ..., columns] = _settings_first(state.weights)
    return result


class _State:
    """The current point of each setting and the history of steps for the curvature estimate."""

    def __init__(self, problem: Problem, units: Tensor) -> None:
        self.problem = problem
        self.units = units
        self.logits = problem.logits(units)
        self.gradient = problem.gradient(units, self.logits)
        weights = units[:, :-1] * problem.scale[:, :-1]
        self.value = problem.value(self.logits, _dot(weights, weights))
        self.active = _dot(self.gradient, self.gradient) > TOLERANCE
        self.history: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=HISTORY)

    @property
    def weights(self) -> Tensor:
        """The weights (G, R + 1, K, S) on the problem's rows."""
        return self.units * self.problem.scale

    def keep(self, sets: Tensor, columns: Tensor) -> None:
        """Keeps these sets and penalties and removes all others."""

        def cut(tensor: Tensor) -> Tensor:
            return _cut(tensor, sets, columns)

        self.problem = self.problem.only(sets, columns)
        self.units, self.logits, self.gradient = cut(self.units), cut(self.logits), cut(self.gradient)
        self.value, self.active = cut(self.value), cut(self.active)
        self.history = deque(((cut(s), cut(y), cut(r)) for s, y, r in self.history), maxlen=HISTORY)

    def step(self) -> None:
        """Takes one step in every active setting.

        A setting in which no step decreases the objective has reached the limit of rounding and becomes inactive.
        """
        direction = self._direction()
        logits = self.problem.logits(direction)
        length = self._line_search(direction, logits)
        # Logits are linear in the weights, so the product with the rows from the line search is used again.
        moved = _broadcast(length) * direction
        self.units = self.units + moved
        self.logits = self.logits + _broadcast(length) * logits
        gradient = self.problem.gradient(self.units, self.logits)
        change = gradient - self.gradient
        curvature = _dot(moved, change)
        self.gradient = gradient
        # A pair without positive curvature gets rho = 0, which skips it in the recursion.
        self.history.append((moved, change, torch.where(curvature > 0, 1 / curvature, 0.0)))
        self.active &= (length > 0) & (_dot(gradient, gradient) > TOLERANCE)

    def _direction(self) -> Tensor:
        """Returns the direction (G, R + 1, K, S) by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4)."""
        q = -self.gradient
        alphas = []
        for step, change, rho in reversed(self.history):
            alpha = rho * _dot(step, q)
            q = q - _broadcast(alpha) * change
            alphas.append(alpha)
        if self.history:
            _, change, rho = self.history[-1]
            q = q * _broadcast(torch.where(rho > 0, 1 / (rho * _dot(change, change)), 1.0))
        for (step, change, rho), alpha in zip(self.history, reversed(alphas), strict=True):
            q = q + step * _broadcast(alpha - rho * _dot(change, q))
        return q

    def _line_search(self, direction: Tensor, logits: Tensor) -> Tensor:
        """Returns step lengths (G, S): 1, or halved until the decrease is sufficient; 0 if no length is sufficient."""
        scale = self.problem.scale[:, :-1]
        weights, ahead = self.units[:, :-1] * scale, direction[:, :-1] * scale
        # The squared norm of the weights is a quadratic in the step length; its coefficients are computed once.
        squares = _dot(weights, weights), 2 * _dot(weights, ahead), _dot(ahead, ahead)
        slope = _dot(self.gradient, direction)
        # Near the optimum the decrease is below the rounding of the objective, which must not look like an increase.
        slack = torch.finfo(slope.dtype).eps * self.value.abs()
        length = self.active.to(slope.dtype)
        for _ in range(HALVINGS):
            square = squares[0] + length * squares[1] + length**2 * squares[2]
            value = self.problem.value(self.logits + _broadcast(length) * logits, square)
            good = (value <= self.value + SUFFICIENT * length * slope + slack) | ~self.active
            if bool(good.all()):
                break
            length = torch.where(good, length, length / 2)
        moved = good & self.active
        self.value = torch.where(moved, value, self.value)
        return torch.where(moved, length, 0.0)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Returns the batched product (G, N, C) of (G, N, R) and (G, R, C)."""
    if b.shape[-1] == 1 and b.device.type == "cpu":
        # On a CPU `bmm` has no fast path for single columns and is ten times slower than separate products.
        return torch.stack([x @ y for x, y in zip(a, b, strict=True)])
    return torch.bmm(a, b)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Returns the inner products (G, S) of two tensors (G, R + 1, K, S), one for each setting."""
    return (a * b).sum((1, 2))


def _broadcast(values: Tensor) -> Tensor:
    """Returns values (G, S) as (G, 1, 1, S), to multiply tensors (G, R + 1, K, S)."""
    return values[:, None, None]


def _cut(tensor: Tensor, sets: Tensor, columns: Tensor) -> Tensor:
    """Returns the tensor restricted to these sets (first dimension) and penalties (last dimension)."""
    if len(sets) < tensor.shape[0]:
        tensor = tensor[sets]
    return tensor[..., columns] if len(columns) < tensor.shape[-1] else tensor


def _settings_first(tensor: Tensor) -> Tensor:
    """Returns (G, S, ...) for (G, ..., S), the layout that torch expects in an assignment at two index tensors."""
    return tensor.movedim(-1, 1)
