"""AdamW as this library needs it: clipping in the same pass, and word embeddings moved only where words were met.

The update itself is torch's own fused kernel, through its functional form: constructing `torch.optim.AdamW` imports
torch's compiler, which takes seconds. It works in fp32 at least: of weights in bf16, which has three digits, a step of
1e-5 would leave nothing, so they are rounded copies of others that are kept here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from tlbench.modeling.precision import at_least_fp32, wide
from tlbench.modeling.weights import stepped
from tlbench.training.parameters import checked_groups

BETAS = (0.9, 0.999)
EPS = 1e-8
MANY_ROWS = 2048
"""Embeddings of fewer rows are not worth the indexing."""


class AdamW:
    """Decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101), after clipping the gradient's length."""

    def __init__(
        self, groups: Sequence[dict[str, Any]], max_grad_norm: float, *, keeps_gradients: bool = False
    ) -> None:
        """Takes groups of params, lr and weight_decay; `max_grad_norm` holds for all of them together.

        Gradients are dropped as soon as they have served, or kept, clipped or not, until `drop_gradients`.

        Raises:
            PluginError: A group lacks a part, or a weight stands in two groups or twice in one.
        """
        listed = checked_groups(groups, ("lr", "weight_decay"))
        self.groups = [(group["params"], float(group["lr"]), float(group["weight_decay"])) for group in listed]
        self.max_grad_norm = max_grad_norm
        self.keeps_gradients = keeps_gradients
        self._states: dict[nn.Parameter, _State] = {}

    @property
    def weights(self) -> list[nn.Parameter]:
        """All weights that are moved."""
        return [weight for weights, _, _ in self.groups for weight in weights]

    @torch.no_grad()
    def step(self, factor: float) -> Tensor:
        """Moves the weights at `factor` times their learning rates and returns the length of their gradients.

        The length, a scalar on the device, is that before clipping; if it is not finite, so are the weights now.
        """
        norm = gradient_length(self.weights)
        scale = (norm / self.max_grad_norm).clamp(min=1.0)
        kept = [(weight, weight.grad) for weight in self.weights] if self.keeps_gradients else []
        for weights, lr, weight_decay in self.groups:
            moved = [(weight, self._state(weight, weight_decay)) for weight in weights if weight.grad is not None]
            parts = [state.open(weight) for weight, state in moved]
            if parts:
                # The kernel divides by this, which saves a pass over the gradients, but reads it as fp32: what is to
                # move in fp64 would do so by gradients of seven digits.
                doubles = any(part.weight.dtype == torch.float64 for part in parts)
                adamw(
                    [part.weight for part in parts],
                    [part.grad / scale if doubles else part.grad for part in parts],
                    [part.mean for part in parts],
                    [part.square for part in parts],
                    [],
                    [part.step for part in parts],
                    fused=True,
                    grad_scale=None if doubles else scale.float(),
                    amsgrad=False,
                    beta1=BETAS[0],
                    beta2=BETAS[1],
                    lr=lr * factor,
                    weight_decay=weight_decay,
                    eps=EPS,
                    maximize=False,
                )
            for (weight, state), part in zip(moved, parts, strict=True):
                state.close(weight, part)
        for weight, grad in kept:
            weight.grad = grad
        # the kernel moves no version counter
        stepped()
        return norm

    def drop_gradients(self) -> None:
        """Drops all gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def adopt_changes(self) -> None:
        """Goes on from weights that somebody else has changed since the last step.

        Weights in bf16 are rounded copies of fp32 ones, which the next step would otherwise write over the change.
        """
        for weight, state in self._states.items():
            state.adopt(weight)

    def _state(self, weight: nn.Parameter, weight_decay: float) -> _State:
        state = self._states.get(weight)
        if state is None:
            assert weight.grad is not None
            # decay moves every row at every step, so there is nothing to leave alone
            by_row = weight.grad.is_sparse and weight_decay == 0
            state = self._states[weight] = _ByRow(weight) if by_row else _Whole(weight)
        return state


@dataclass
class _Part:
    """What the kernel works on."""

    weight: Tensor
    grad: Tensor
    mean: Tensor
    square: Tensor
    step: Tensor


class _State:
    """The moments of one weight."""

    mean: Tensor
    square: Tensor
    step: Tensor

    def open(self, weight: nn.Parameter) -> _Part:
        """Returns what the kernel is to move, and takes the gradient away."""
        raise NotImplementedError

    def close(self, weight: nn.Parameter, part: _Part) -> None:
        """Puts what was moved where it belongs."""

    def adopt(self, weight: nn.Parameter) -> None:
        """Takes over what was changed of a weight whose fp32 copy is kept here."""


class _Whole(_State):
    def __init__(self, weight: nn.Parameter) -> None:
        moved_in = wide(weight.dtype)
        self.master = None if weight.dtype == moved_in else weight.detach().to(moved_in)
        self.mean, self.square = torch.zeros_like(weight, dtype=moved_in), torch.zeros_like(weight, dtype=moved_in)
        self.step = torch.zeros((), dtype=torch.float32, device=weight.device)

    def open(self, weight: nn.Parameter) -> _Part:
        grad = _taken(weight)
        grad = (grad.to_dense() if grad.is_sparse else grad).to(self.mean.dtype)
        moved = weight if self.master is None else self.master
        return _Part(moved, grad, self.mean, self.square, self.step)

    def close(self, weight: nn.Parameter, part: _Part) -> None:
        if self.master is not None:
            weight.copy_(self.master)

    def adopt(self, weight: nn.Parameter) -> None:
        if self.master is not None:
            self.master = _adopted(self.master, weight)


class _ByRow(_State):
    """Moments of the rows that ever had a gradient. The others' are zero, so AdamW without decay leaves them."""

    def __init__(self, weight: nn.Parameter) -> None:
        self.rows = torch.empty(0, dtype=torch.int64, device=weight.device)
        self.slots = torch.full((len(weight),), -1, dtype=torch.int64, device=weight.device)
        self.mean = self.square = weight.new_zeros((0, *weight.shape[1:]), dtype=wide(weight.dtype))
        self.master = self.mean
        self.step = torch.zeros((), dtype=torch.float32, device=weight.device)

    def open(self, weight: nn.Parameter) -> _Part:
        grad = _taken(weight)
        # someone may have used the weight in another way as well: then every row counts
        grad = (grad if grad.is_sparse else grad.to_sparse(1)).coalesce()
        touched = grad.indices()[0]
        new = touched[self.slots[touched] < 0]
        self.slots[new] = torch.arange(len(self.rows), len(self.rows) + len(new), device=new.device)
        self.rows = torch.cat([self.rows, new])
        zeros = self.mean.new_zeros((len(new), *self.mean.shape[1:]))
        self.mean, self.square = torch.cat([self.mean, zeros]), torch.cat([self.square, zeros])
        dense = torch.zeros_like(self.mean)
        dense[self.slots[touched]] = grad.values().to(dense.dtype)
        if weight.dtype == dense.dtype:
            return _Part(weight[self.rows], dense, self.mean, self.square, self.step)
        self.master = torch.cat([self.master, weight[new].to(dense.dtype)])
        return _Part(self.master, dense, self.mean, self.square, self.step)

    def close(self, weight: nn.Parameter, part: _Part) -> None:
        weight.index_copy_(0, self.rows, part.weight.to(weight.dtype))

    def adopt(self, weight: nn.Parameter) -> None:
        if weight.dtype != self.mean.dtype:
            self.master = _adopted(self.master, weight[self.rows])


def _adopted(master: Tensor, weight: Tensor) -> Tensor:
    """Returns the wide copy of a weight, with the weight's own numbers where it is no longer the rounded copy."""
    # without a branch on the result, so that the host need not wait for a GPU
    return torch.where(master.to(weight.dtype) == weight, master, weight.to(master.dtype))


def gradient_length(weights: Sequence[nn.Parameter]) -> Tensor:
    """Returns the Euclidean length of the gradients of all these weights together, in fp32 at least."""
    grads = [weight.grad for weight in weights if weight.grad is not None]
    norms = torch._foreach_norm([grad.coalesce().values() if grad.is_sparse else grad for grad in grads])
    total: Tensor = torch.linalg.vector_norm(torch.stack([at_least_fp32(norm) for norm in norms]))
    return total


def _taken(weight: nn.Parameter) -> Tensor:
    """Returns the gradient of a weight, which has none from now on."""
    grad, weight.grad = weight.grad, None
    assert grad is not None
    return grad


@contextmanager
def embeddings_by_row(model: nn.Module) -> Iterator[None]:
    """Makes large embeddings on the CPU give gradients of the rows they looked up, until the block ends.

    A dense gradient has a row for every word there is: writing, measuring and applying it took a fifth of a
    training step of a small encoder. Weights that are used elsewhere too, tied to an output layer, are left alone;
    and so are modules that lack their weight, since it is lent to them.
    """
    uses: dict[Tensor, int] = {}
    for module in model.modules():
        for weight in module._parameters.values():
            if weight is not None:
                uses[weight] = uses.get(weight, 0) + 1
    chosen = [
        module
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        and module._parameters["weight"] is not None
        and module.weight.requires_grad
        and module.weight.device.type == "cpu"
        and len(module.weight) >= MANY_ROWS
        and uses[module.weight] == 1
        and not (module.sparse or module.scale_grad_by_freq)
    ]
    for module in chosen:
        module.sparse = True
    try:
        yield
    finally:
        for module in chosen:
            module.sparse = False
