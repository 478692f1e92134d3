"""The scalar mix of layers: one weight per layer, learned together with a linear head (Peters et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tlbench.training.probes.stacked import adamw_stacked, losses_of
from tlbench.training.recipe.schedules import rate

STEPS, WARMUP = 100, 0.1
ROWS = 1024
"""The maximum number of rows of a step; more are sampled, so that the cost does not grow with the data."""
MIX_RATE, HEAD_RATE = 0.2, 0.05
"""Learning rates of the layers' logits, whose softmax can become one-hot in `STEPS`, and of the head."""
CHUNK_ELEMENTS = 2**26
"""The maximum number of elements of the mixtures of one step; more penalties are trained in chunks."""


def scalar_mixes(
    layers: Tensor, targets: Tensor, outputs: int, penalties: Sequence[float], row_weights: Tensor | None = None
) -> Tensor:
    """Returns the weight of each layer for each of S penalties, (S, L), positive and summing to 1 (arXiv:1802.05365).

    The weights minimise the loss of a linear head on the mixture plus l2 / 2 * |head's weights|^2, by Adam. The paper's
    scale of the mixture is not free, because a large one would evade the penalty: it gives the mixture unit variance.

    Args:
        layers: The features of each of L layers, (L, N, D), standardised.
        targets: As in `HeadSetting`.
        outputs: K, the number of classes or labels; 1 for real numbers.
        penalties: The values of `l2`, at least 0.
        row_weights: (N,) the weight of each row in the mean loss; None for equal weights.
    """
    _, rows, width = layers.shape
    chunk = max(1, CHUNK_ELEMENTS // (min(rows, ROWS) * width))
    flat = layers.flatten(1)
    # The mean over features of the correlations between layers, from which the variance of any mixture follows.
    correlations = flat @ flat.T / flat.shape[1]
    parts = [
        _Mixes(layers, correlations, layers.new_tensor(penalties[first : first + chunk]), outputs)
        for first in range(0, len(penalties), chunk)
    ]
    for part in parts:
        part.train(targets, row_weights)
    return torch.cat([part.shares.detach() for part in parts])


class _Mixes:
    """The mixtures of S penalties and their heads."""

    def __init__(self, layers: Tensor, correlations: Tensor, penalties: Tensor, outputs: int) -> None:
        self.layers, self.correlations, self.penalties = layers, correlations, penalties
        self.outputs = outputs
        count = len(penalties)
        self.logits = layers.new_zeros(count, len(layers))
        self.weight = layers.new_zeros(count, layers.shape[2], outputs)
        self.bias = layers.new_zeros(count, outputs)

    @property
    def shares(self) -> Tensor:
        """The layers' weights, (S, L)."""
        return self.logits.softmax(1)

    def train(self, targets: Tensor, row_weights: Tensor | None) -> None:
        """Trains the mixtures and heads together."""
        numbers = targets.is_floating_point() or targets.ndim == 2
        targets = targets.to(self.layers.dtype) if numbers else targets
        row_weights = None if row_weights is None else row_weights.to(self.layers)
        parameters = [one.requires_grad_(True) for one in (self.logits, self.weight, self.bias)]
        moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in parameters]
        # A head shrinks with its penalty, and so do its steps.
        head_rate = HEAD_RATE / (1 + self.penalties)
        rates = [torch.full_like(self.penalties, MIX_RATE), head_rate, head_rate]
        generator = torch.Generator().manual_seed(0)
        count = self.layers.shape[1]
        for step in range(STEPS):
            picked: Tensor | slice = slice(None)
            if count > ROWS:
                picked = torch.randint(count, (ROWS,), generator=generator).to(targets.device)
            weights = None if row_weights is None else row_weights[picked]
            gradients = torch.autograd.grad(self._loss(self.layers[:, picked], targets[picked], weights), parameters)
            factor = rate(step, STEPS, WARMUP)
            with torch.no_grad():
                for one, gradient, (mean, square), lr in zip(parameters, gradients, moments, rates, strict=True):
                    adamw_stacked(one, gradient, mean, square, lr * factor, None, step + 1)

    def _loss(self, layers: Tensor, targets: Tensor, row_weights: Tensor | None) -> Tensor:
        """Returns the sum of the objectives of all penalties, which share no parameter, on some rows."""
        shares, count = self.shares, len(self.penalties)
        variance = (shares @ self.correlations * shares).sum(1, keepdim=True).clamp(min=1e-12)
        mixture = (shares * variance.rsqrt() @ layers.flatten(1)).view(count, *layers.shape[1:])
        logits = torch.baddbmm(self.bias[:, None], mixture, self.weight)
        weights = None if row_weights is None else row_weights.expand(count, -1)
        losses = losses_of(logits, targets.expand(count, *targets.shape), weights)
        penalties = self.penalties * _penalty_factor(targets, self.outputs)
        return (losses + penalties / 2 * self.weight.square().sum((1, 2))).sum()


def _penalty_factor(targets: Tensor, outputs: int) -> float:
    """Returns the factor of the penalty for which the objective is that of the regressions of `fused`."""
    # Labels: the loss is a mean over labels, not a sum. Numbers: the squared error is not halved. Two classes: the
    # penalty is on the difference of two rows of opposite sign.
    if targets.ndim == 2:
        return 1 / outputs
    return 2.0 if targets.is_floating_point() or outputs == 2 else 1.0
