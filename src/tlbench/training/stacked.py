"""Heads of several layers trained by gradients, many settings and seeds at once.

The weights of all settings are stacked, so that one step of all of them is one batched product a layer. Nothing of a
setting reaches another: each draws its own first weights and its own order of rows from its seed, has its own learning
rate, decay and targets, and one whose weights become infinite leaves the others as they are. Each setting's result is
the one that it would have alone, but for rounding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from tlbench.modeling.precision import wide
from tlbench.training.adamw import BETAS, EPS
from tlbench.training.axes import Linear, Scale
from tlbench.training.loop import rate

Activation: TypeAlias = Literal["gelu", "relu"]
MAX_WEIGHTS = 2**23
"""Weights trained at a time: more settings than fit into these go one chunk after another."""


@dataclass(frozen=True)
class HeadSetting:
    """One head to be trained: on what, from which seed, and how."""

    features: Tensor
    """(N, D); settings that give the same tensor share its standardised copy."""
    targets: Tensor
    """(N,) class indices in int64, or real numbers of about unit deviation; (N, K) 0 and 1 of labels."""
    seed: int
    """Draws the first weights and the order of the rows."""
    lr: float
    weight_decay: float
    """Of the matrices, times the learning rate at each step (AdamW); biases do not decay."""
    steps: int


@dataclass(frozen=True)
class Layers:
    """Linear maps with a non-linearity between them, on raw features, in fp32 at least."""

    maps: tuple[Linear, ...]
    activation: Activation

    def __call__(self, features: Tensor) -> Tensor:
        """Returns (N, K) for features (N, D)."""
        for linear in self.maps[:-1]:
            features = _activated(linear(features), self.activation)
        return self.maps[-1](features)

    @property
    def is_finite(self) -> bool:
        """Whether every weight is."""
        return all(linear.is_finite for linear in self.maps)

    @property
    def parameters(self) -> int:
        """How many weights there are."""
        return sum(linear.parameters for linear in self.maps)


def train_heads(
    settings: Sequence[HeadSetting],
    outputs: int,
    hidden: Sequence[int],
    *,
    activation: Activation = "gelu",
    batch_size: int = 64,
    warmup: float = 0.1,
) -> list[Layers]:
    """Returns a head for each setting, trained by AdamW on features that it standardises by its own rows.

    Classes are learnt by cross-entropy, numbers by squared error, labels each by its own cross-entropy. A setting
    that diverged has weights that are not finite.

    Args:
        settings: What to train; those with as many rows and steps go together.
        outputs: K, the number of classes or labels; 1 for real numbers.
        hidden: The width of each layer between; none makes the head linear.
        activation: What stands between two layers.
        batch_size: Rows in one step, fewer where there are not as many.
        warmup: The share of steps over which the learning rate rises; after it, it falls to nothing.
    """
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, one in enumerate(settings):
        x, targets = one.features, one.targets
        key = (x.shape, x.device, wide(x.dtype), targets.dtype, targets.ndim, one.steps)
        alike.setdefault(key, []).append(index)
    trained: dict[int, Layers] = {}
    for indices in alike.values():
        widths = [settings[indices[0]].features.shape[1], *hidden, outputs]
        size = sum((before + 1) * after for before, after in itertools.pairwise(widths))
        most = max(1, MAX_WEIGHTS // size)
        for first in range(0, len(indices), most):
            chunk = indices[first : first + most]
            heads = _Stack([settings[i] for i in chunk], widths, activation, batch_size)
            heads.train(warmup)
            trained.update(zip(chunk, heads.unfolded(), strict=True))
    return [trained[index] for index in range(len(settings))]


@dataclass(frozen=True)
class _Stream:
    """The rows of one seed in the order in which they are trained on, for all settings of the seed."""

    rows: Tensor
    """(N, D) standardised, in fp32 at least."""
    targets: Tensor
    order: Tensor
    """(steps, B) indices of rows."""

    @classmethod
    def of(cls, setting: HeadSetting, rows: Tensor, batch_size: int) -> _Stream:
        """Returns one pass over all rows after another, cut into batches of one size."""
        count = len(rows)
        size = min(batch_size, count)
        generator = torch.Generator().manual_seed(setting.seed)
        passes = math.ceil(setting.steps * size / count)
        order = torch.cat([torch.randperm(count, generator=generator) for _ in range(passes)])
        order = order[: setting.steps * size].view(setting.steps, size)
        targets = setting.targets
        as_numbers = targets.is_floating_point() or targets.ndim == 2
        return cls(rows, targets.to(rows.dtype) if as_numbers else targets, order.to(rows.device))


class _Stack:
    """The weights of settings that have as many rows and steps, and where their batches come from."""

    def __init__(
        self, settings: Sequence[HeadSetting], widths: Sequence[int], activation: Activation, batch_size: int
    ) -> None:
        features = settings[0].features
        device, dtype = features.device, wide(features.dtype)
        self.activation = activation
        self.steps = settings[0].steps
        self.lr = torch.tensor([one.lr for one in settings], dtype=dtype, device=device)
        self.decay = torch.tensor([one.weight_decay for one in settings], dtype=dtype, device=device)
        scales: dict[int, tuple[Scale, Tensor]] = {}
        streams: dict[tuple[int, int, int], _Stream] = {}
        self.scales: list[Scale] = []
        places = []
        for one in settings:
            if id(one.features) not in scales:
                scale = Scale.of(one.features)
                scales[id(one.features)] = scale, scale.standardise(one.features).to(dtype)
            scale, rows = scales[id(one.features)]
            key = id(one.features), id(one.targets), one.seed
            if key not in streams:
                streams[key] = _Stream.of(one, rows, batch_size)
            self.scales.append(scale)
            places.append(list(streams).index(key))
        self.streams = list(streams.values())
        self.places = torch.tensor(places, device=device)
        self.weights, self.biases = _first_weights([one.seed for one in settings], widths, self.lr)

    def train(self, warmup: float) -> None:
        """Takes all steps."""
        leaves = [leaf.requires_grad_(True) for leaf in (*self.weights, *self.biases)]
        means = [torch.zeros_like(leaf) for leaf in leaves]
        squares = [torch.zeros_like(leaf) for leaf in leaves]
        for step in range(self.steps):
            gradients = torch.autograd.grad(self._loss(step), leaves)
            lr = self.lr * rate(step, self.steps, warmup)
            with torch.no_grad():
                for leaf, gradient, mean, square in zip(leaves, gradients, means, squares, strict=True):
                    adamw_stacked(leaf, gradient, mean, square, lr, self.decay if leaf.ndim == 3 else None, step + 1)

    def unfolded(self) -> list[Layers]:
        """Returns each setting's head on raw features."""
        heads = []
        for index, scale in enumerate(self.scales):
            maps = [
                Linear(weight[index].detach().T.contiguous(), bias[index].detach())
                for weight, bias in zip(self.weights, self.biases, strict=True)
            ]
            heads.append(Layers((scale.unfold(maps[0].weight, maps[0].bias), *maps[1:]), self.activation))
        return heads

    def _loss(self, step: int) -> Tensor:
        """Returns the sum over the settings of each one's mean loss, so that gradients do not mix."""
        x, targets = self._batch(step)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = _activated(torch.baddbmm(bias[:, None], x, weight), self.activation)
        logits = torch.baddbmm(self.biases[-1][:, None], x, self.weights[-1])
        if targets.ndim == 3:
            losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
            return losses.mean((1, 2)).sum()
        if targets.is_floating_point():
            return (logits[..., 0] - targets).square().mean(1).sum()
        losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        return losses.view(targets.shape).mean(1).sum()

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Returns (G, B, D) rows and (G, B) targets, or (G, B, K) labels."""
        x = torch.stack([stream.rows[stream.order[step]] for stream in self.streams])
        targets = torch.stack([stream.targets[stream.order[step]] for stream in self.streams])
        if len(self.streams) == 1:
            count = len(self.places)
            return x.expand(count, -1, -1), targets.expand(count, *targets.shape[1:])
        return x[self.places], targets[self.places]


def _first_weights(seeds: Sequence[int], widths: Sequence[int], like: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Returns matrices (G, before, after) and biases (G, after); a seed draws the same for all of its settings.

    They have type and device of `like`, and are drawn in fp32 whatever that is.

    Matrices are drawn so that the activations keep their size (He et al. 2015, arXiv:1502.01852), the last ten times
    smaller, so that the first answers are all about equally likely.
    """
    shapes = list(itertools.pairwise(widths))
    drawn: dict[int, list[Tensor]] = {}
    for seed in seeds:
        if seed not in drawn:
            generator = torch.Generator().manual_seed(seed)
            drawn[seed] = [torch.randn(shape, generator=generator) * math.sqrt(2 / shape[0]) for shape in shapes]
            drawn[seed][-1] /= 10
    weights = [torch.stack([drawn[seed][layer] for seed in seeds]).to(like) for layer in range(len(shapes))]
    return weights, [weight.new_zeros(len(seeds), weight.shape[-1]) for weight in weights]


def adamw_stacked(
    weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, lr: Tensor, decay: Tensor | None, step: int
) -> None:
    """Moves weights (G, ...) in place, each setting at its own lr and decay (G,), as `torch.optim.AdamW` would."""
    shape = (-1, *[1] * (weight.ndim - 1))
    mean.lerp_(gradient, 1 - BETAS[0])
    square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    if decay is not None:
        weight.mul_((1 - lr * decay).view(shape))
    length = square.sqrt().mul_(1 / math.sqrt(1 - BETAS[1] ** step)).add_(EPS)
    weight.sub_(mean.div(length).mul_((lr / (1 - BETAS[0] ** step)).view(shape)))


def _activated(x: Tensor, activation: Activation) -> Tensor:
    return torch.nn.functional.gelu(x) if activation == "gelu" else torch.relu(x)
