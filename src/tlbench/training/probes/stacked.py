"""Multi-layer heads trained by gradient descent, for many settings of params and seeds at once.

The weights of all settings are stacked, so that one step of all of them is one batched product per layer. Settings do
not affect each other: each has its own initial weights and order of rows (from its seed), learning rate, weight decay
and targets, and if one diverges, the others are unchanged. Each result equals that of training the setting alone, up to
rounding.
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
from tlbench.training.probes.axes import Linear, Scale
from tlbench.training.recipe.schedules import rate

Activation: TypeAlias = Literal["gelu", "relu"]
MAX_WEIGHTS = 2**23
"""The maximum number of weights that are trained together; more settings are trained in chunks."""


@dataclass(frozen=True)
class HeadSetting:
    """The data, seed and params of one head."""

    features: Tensor
    """(N, D); settings with the same tensor object share its standardised copy."""
    targets: Tensor
    """(N,) class indices in int64, or real numbers of about unit standard deviation; (N, K) 0 and 1 for multi-label."""
    seed: int
    """The seed of the initial weights and of the order of rows."""
    lr: float
    weight_decay: float
    """The decoupled weight decay of AdamW on the matrices; biases do not decay."""
    steps: int
    row_weights: Tensor | None = None
    """(N,) the weight of each row in the mean loss of a batch, above 0; None for equal weights."""


@dataclass(frozen=True)
class Layers:
    """A multi-layer perceptron on raw features, in fp32 at least."""

    maps: tuple[Linear, ...]
    activation: Activation

    def __call__(self, features: Tensor) -> Tensor:
        """Returns logits or numbers (N, K) for features (N, D)."""
        for linear in self.maps[:-1]:
            features = _activate(linear(features), self.activation)
        return self.maps[-1](features)

    @property
    def is_finite(self) -> bool:
        """Whether all parameters are finite."""
        return all(linear.is_finite for linear in self.maps)

    @property
    def parameters(self) -> int:
        """The number of parameters."""
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
    """Returns a head for each setting, trained by AdamW on features standardised by the setting's own rows.

    The loss is cross-entropy for classes, squared error for real numbers and binary cross-entropy for labels. The head
    of a setting that diverged has parameters that are not finite.

    Args:
        settings: The settings; those with equal numbers of rows and steps are trained together.
        outputs: K, the number of classes or labels; 1 for real numbers.
        hidden: The width of each hidden layer; empty for a linear head.
        activation: The activation function of the hidden layers.
        batch_size: Rows per step, or all rows if there are fewer.
        warmup: The fraction of steps in which the learning rate rises linearly; afterwards it falls linearly to 0.
    """
    stackable: dict[tuple[object, ...], list[int]] = {}
    for index, one in enumerate(settings):
        x, targets = one.features, one.targets
        key = (x.shape, x.device, wide(x.dtype), targets.dtype, targets.ndim, one.steps, one.row_weights is None)
        stackable.setdefault(key, []).append(index)
    trained: dict[int, Layers] = {}
    for indices in stackable.values():
        widths = [settings[indices[0]].features.shape[1], *hidden, outputs]
        size = sum((before + 1) * after for before, after in itertools.pairwise(widths))
        most = max(1, MAX_WEIGHTS // size)
        for first in range(0, len(indices), most):
            chunk = indices[first : first + most]
            heads = _HeadStack([settings[i] for i in chunk], widths, activation, batch_size)
            heads.train(warmup)
            trained.update(zip(chunk, heads.heads(), strict=True))
    return [trained[index] for index in range(len(settings))]


@dataclass(frozen=True)
class _Stream:
    """Training rows and their order, shared by all settings with the same features, targets, row weights and seed."""

    rows: Tensor
    """(N, D), standardised, in fp32 at least."""
    targets: Tensor
    order: Tensor
    """(steps, B), the row indices of each batch."""
    row_weights: Tensor | None
    """(N,), or None for equal weights."""

    @classmethod
    def of(cls, setting: HeadSetting, rows: Tensor, batch_size: int) -> _Stream:
        """Returns the stream of a setting, with the rows of each epoch in random order.

        All batches have equal size, so that a batch may contain rows of two epochs.
        """
        count = len(rows)
        size = min(batch_size, count)
        generator = torch.Generator().manual_seed(setting.seed)
        passes = math.ceil(setting.steps * size / count)
        order = torch.cat([torch.randperm(count, generator=generator) for _ in range(passes)])
        order = order[: setting.steps * size].view(setting.steps, size)
        targets = setting.targets
        as_numbers = targets.is_floating_point() or targets.ndim == 2
        weights = None if setting.row_weights is None else setting.row_weights.to(rows)
        return cls(rows, targets.to(rows.dtype) if as_numbers else targets, order.to(rows.device), weights)


class _HeadStack:
    """The stacked weights of settings with equal numbers of rows and steps, and their streams of batches."""

    def __init__(
        self, settings: Sequence[HeadSetting], widths: Sequence[int], activation: Activation, batch_size: int
    ) -> None:
        features = settings[0].features
        device, dtype = features.device, wide(features.dtype)
        self.activation = activation
        self.steps = settings[0].steps
        self.lr = torch.tensor([one.lr for one in settings], dtype=dtype, device=device)
        self.decay = torch.tensor([one.weight_decay for one in settings], dtype=dtype, device=device)
        # Keyed by id, because tensors compare elementwise; `settings` keeps the tensors alive, so ids stay unique.
        scales: dict[int, tuple[Scale, Tensor]] = {}
        streams: dict[tuple[int, int, int, int], _Stream] = {}
        self.scales: list[Scale] = []
        stream_indices = []
        for one in settings:
            if id(one.features) not in scales:
                scale = Scale.of(one.features)
                scales[id(one.features)] = scale, scale.standardise(one.features).to(dtype)
            scale, rows = scales[id(one.features)]
            key = id(one.features), id(one.targets), id(one.row_weights), one.seed
            if key not in streams:
                streams[key] = _Stream.of(one, rows, batch_size)
            self.scales.append(scale)
            stream_indices.append(list(streams).index(key))
        self.streams = list(streams.values())
        self.stream_indices = torch.tensor(stream_indices, device=device)
        self.weights, self.biases = _first_weights([one.seed for one in settings], widths, self.lr)

    def train(self, warmup: float) -> None:
        """Runs all training steps."""
        parameters = [parameter.requires_grad_(True) for parameter in (*self.weights, *self.biases)]
        means = [torch.zeros_like(parameter) for parameter in parameters]
        squares = [torch.zeros_like(parameter) for parameter in parameters]
        for step in range(self.steps):
            gradients = torch.autograd.grad(self._loss(step), parameters)
            lr = self.lr * rate(step, self.steps, warmup)
            with torch.no_grad():
                for parameter, gradient, mean, square in zip(parameters, gradients, means, squares, strict=True):
                    # Stacked matrices have three dimensions and decay; stacked biases have two and do not.
                    decay = self.decay if parameter.ndim == 3 else None
                    adamw_stacked(parameter, gradient, mean, square, lr, decay, step + 1)

    def heads(self) -> list[Layers]:
        """Returns the head of each setting, mapping raw features."""
        heads = []
        for index, scale in enumerate(self.scales):
            maps = [
                Linear(weight[index].detach().T.contiguous(), bias[index].detach())
                for weight, bias in zip(self.weights, self.biases, strict=True)
            ]
            heads.append(Layers((scale.on_raw_features(maps[0].weight, maps[0].bias), *maps[1:]), self.activation))
        return heads

    def _loss(self, step: int) -> Tensor:
        """Returns the sum over settings of each one's mean loss, a scalar."""
        # The gradient of a sum with respect to one setting's weights is that of its own term, so settings do not mix.
        x, targets, row_weights = self._batch(step)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = _activate(torch.baddbmm(bias[:, None], x, weight), self.activation)
        logits = torch.baddbmm(self.biases[-1][:, None], x, self.weights[-1])
        return losses_of(logits, targets, row_weights).sum()

    def _batch(self, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns rows (G, B, D), targets (G, B), or (G, B, K) for labels, and row weights (G, B), of G settings."""
        x = torch.stack([stream.rows[stream.order[step]] for stream in self.streams])
        targets = torch.stack([stream.targets[stream.order[step]] for stream in self.streams])
        # Settings with row weights and without are never in one stack.
        weights = [stream.row_weights[stream.order[step]] for stream in self.streams if stream.row_weights is not None]
        row_weights = self._for_settings(torch.stack(weights)) if weights else None
        return self._for_settings(x), self._for_settings(targets), row_weights

    def _for_settings(self, of_streams: Tensor) -> Tensor:
        """Returns (G, ...), for each setting the entry of its stream in `of_streams`, (streams, ...)."""
        if len(self.streams) == 1:
            # All settings read the same batch: `expand` is a view and copies nothing.
            return of_streams.expand(len(self.stream_indices), *of_streams.shape[1:])
        return of_streams[self.stream_indices]


def losses_of(logits: Tensor, targets: Tensor, row_weights: Tensor | None) -> Tensor:
    """Returns the mean loss of each of G settings over its rows, (G,), for logits (G, B, K).

    It is the cross-entropy for class indices (G, B), the squared error for numbers (G, B), and the binary cross-entropy
    for labels (G, B, K). Row weights are (G, B), or None for equal weights.
    """
    if targets.ndim == 3:
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    elif targets.is_floating_point():
        losses = (logits[..., 0] - targets).square()
    else:
        flat = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        losses = flat.view(targets.shape)
    if row_weights is None:
        return losses.mean(tuple(range(1, losses.ndim)))
    losses = losses.mean(2) if losses.ndim == 3 else losses
    return (losses * row_weights).sum(1) / row_weights.sum(1)


def _first_weights(seeds: Sequence[int], widths: Sequence[int], like: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Returns initial matrices (G, in, out) and biases (G, out) in the dtype and on the device of `like`.

    Settings with the same seed have the same initial weights. They are normal with the variance of He et al. 2015,
    arXiv:1502.01852; those of the last layer are ten times smaller, so that the initial predictions are nearly uniform.
    """
    shapes = list(itertools.pairwise(widths))
    drawn: dict[int, list[Tensor]] = {}
    for seed in seeds:
        if seed not in drawn:
            generator = torch.Generator().manual_seed(seed)
            # Drawn in fp32 on the CPU, so that the weights do not depend on the features' dtype or device.
            drawn[seed] = [torch.randn(shape, generator=generator) * math.sqrt(2 / shape[0]) for shape in shapes]
            drawn[seed][-1] /= 10
    weights = [torch.stack([drawn[seed][layer] for seed in seeds]).to(like) for layer in range(len(shapes))]
    return weights, [weight.new_zeros(len(seeds), weight.shape[-1]) for weight in weights]


def adamw_stacked(
    weight: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, lr: Tensor, decay: Tensor | None, step: int
) -> None:
    """Updates weights (G, ...) in place as `torch.optim.AdamW`, with a learning rate and a decay (G,) per setting.

    torch's optimisers take one learning rate per tensor, which would split the stacked weights.
    """
    shape = (-1, *[1] * (weight.ndim - 1))
    mean.lerp_(gradient, 1 - BETAS[0])
    square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
    if decay is not None:
        weight.mul_((1 - lr * decay).view(shape))
    # Both moments start at 0; dividing by 1 - beta**step corrects that bias.
    denominator = square.sqrt().mul_(1 / math.sqrt(1 - BETAS[1] ** step)).add_(EPS)
    weight.sub_(mean.div(denominator).mul_((lr / (1 - BETAS[0] ** step)).view(shape)))


def _activate(x: Tensor, activation: Activation) -> Tensor:
    return torch.nn.functional.gelu(x) if activation == "gelu" else torch.relu(x)
