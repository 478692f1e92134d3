"""AdamW with gradient clipping in the same pass, fp32 masters for bf16 parameters, and row-wise embedding updates.

The update is torch's fused kernel in its functional form, because constructing `torch.optim.AdamW` imports torch's
compiler, which takes seconds. It computes in fp32 at least: bf16 has about three decimal digits, so that a step of 1e-5
on a weight of 0.03 would be rounded away. Parameters in bf16 are therefore rounded copies of fp32 masters kept here
(Micikevicius et al. 2018, arXiv:1710.03740).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from tlbench.modeling.devices.device_group import ALONE, DeviceGroup
from tlbench.modeling.devices.weight_owners import WeightOwners
from tlbench.modeling.precision import at_least_fp32, wide
from tlbench.modeling.weights import count_optimizer_step
from tlbench.training.parameters import checked_groups

BETAS = (0.9, 0.999)
EPS = 1e-8
UNBIASED_STEPS = 100_000
"""A number of steps after which `beta ** step` is 0 in fp32 for both betas."""
MANY_ROWS = 2048
"""Embeddings with fewer rows are updated densely, which is faster than the indexing of row-wise updates."""


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101) and clipping by the global norm."""

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        max_grad_norm: float,
        *,
        keeps_gradients: bool = False,
        bias_correction: bool = True,
        device_group: DeviceGroup = ALONE,
    ) -> None:
        """Creates the optimiser for groups with params, lr and weight_decay.

        Args:
            groups: Parameter groups as in `torch.optim`.
            max_grad_norm: The limit of the norm of all gradients together.
            keeps_gradients: Whether gradients remain until `zero_grad`, clipped or unclipped; by default they are freed
                during the step.
            bias_correction: Whether the moments are divided by 1 - beta ** step, which makes them unbiased. BERT was
                published without it, which makes the first steps larger (Zhang et al. 2021, arXiv:2006.05987).
            device_group: The processes among which the moments and masters are divided; all have equal gradients.

        Raises:
            PluginError: A group lacks a key, or a parameter is in two groups or twice in one.
        """
        listed = checked_groups(groups, ("lr", "weight_decay"))
        self.groups = [(group["params"], float(group["lr"]), float(group["weight_decay"])) for group in listed]
        self.max_grad_norm = max_grad_norm
        self.keeps_gradients = keeps_gradients
        self.bias_correction = bias_correction
        self._states: dict[nn.Parameter, _ParameterState] = {}
        self._owners = WeightOwners(device_group)

    @property
    def weights(self) -> list[nn.Parameter]:
        """All parameters in the groups."""
        return [weight for weights, _, _ in self.groups for weight in weights]

    @torch.no_grad()
    def step(self, factor: float) -> Tensor:
        """Updates the parameters at `factor` times their learning rates and returns the gradient norm before clipping.

        The norm is a scalar tensor on the device, so that the host need not wait for a GPU. If it is not finite, the
        parameters are not finite afterwards.
        """
        norm = gradient_norm(self.weights)
        scale = (norm / self.max_grad_norm).clamp(min=1.0)
        kept = [(weight, weight.grad) for weight in self.weights] if self.keeps_gradients else []
        updated = [weight for weight in self.weights if weight.grad is not None]
        for weight in updated:
            if not self._owners.is_here(weight):
                weight.grad = None
        for weights, lr, weight_decay in self.groups:
            moved = [(weight, self._state(weight, weight_decay)) for weight in weights if weight.grad is not None]
            parts = [state.open(weight) for weight, state in moved]
            if parts:
                # Dividing by `grad_scale` inside the kernel saves a pass over the gradients. The kernel reads it as
                # fp32, which would round gradients in fp64 to seven digits, so those are divided here.
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
        self._owners.spread(updated)
        for weight, grad in kept:
            weight.grad = grad
        # The kernel does not raise torch's version counters, so the activation cache is notified of the change here.
        count_optimizer_step()
        return norm

    def zero_grad(self) -> None:
        """Removes all gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def sync_masters(self) -> None:
        """Copies changes that were made to the parameters since the last step into their fp32 masters.

        Otherwise the next step would overwrite the changed bf16 parameters with their old masters.
        """
        for weight, state in self._states.items():
            state.sync_master(weight)

    def _state(self, weight: nn.Parameter, weight_decay: float) -> _ParameterState:
        state = self._states.get(weight)
        if state is None:
            assert weight.grad is not None
            # Weight decay changes every row at every step, so row-wise state pays only without it.
            by_row = weight.grad.is_sparse and weight_decay == 0
            state = self._states[weight] = _RowState(weight) if by_row else _DenseState(weight)
            if not self.bias_correction:
                # The kernel always corrects; from so many steps on the correction is a factor of 1.
                state.step.fill_(UNBIASED_STEPS)
        return state


@dataclass
class _KernelInput:
    """The tensors that the kernel reads and updates."""

    weight: Tensor
    grad: Tensor
    mean: Tensor
    square: Tensor
    step: Tensor


class _ParameterState:
    """The moments and step count of one parameter."""

    mean: Tensor
    square: Tensor
    step: Tensor

    def open(self, weight: nn.Parameter) -> _KernelInput:
        """Returns the tensors for the kernel and removes the gradient from the parameter."""
        raise NotImplementedError

    def close(self, weight: nn.Parameter, part: _KernelInput) -> None:
        """Writes updated values back to the parameter, if the kernel worked on a copy."""

    def sync_master(self, weight: nn.Parameter) -> None:
        """Copies changes of the parameter into its fp32 master, if there is one."""


class _DenseState(_ParameterState):
    """The moments of a whole parameter."""

    def __init__(self, weight: nn.Parameter) -> None:
        dtype = wide(weight.dtype)
        self.master = None if weight.dtype == dtype else weight.detach().to(dtype)
        self.mean, self.square = torch.zeros_like(weight, dtype=dtype), torch.zeros_like(weight, dtype=dtype)
        self.step = torch.zeros((), dtype=torch.float32, device=weight.device)

    def open(self, weight: nn.Parameter) -> _KernelInput:
        grad = _take_gradient(weight)
        grad = (grad.to_dense() if grad.is_sparse else grad).to(self.mean.dtype)
        moved = weight if self.master is None else self.master
        return _KernelInput(moved, grad, self.mean, self.square, self.step)

    def close(self, weight: nn.Parameter, part: _KernelInput) -> None:
        if self.master is not None:
            weight.copy_(self.master)

    def sync_master(self, weight: nn.Parameter) -> None:
        if self.master is not None:
            self.master = _synced(self.master, weight)


class _RowState(_ParameterState):
    """The moments of the embedding rows that have had a gradient.

    Moments of all other rows are zero, so that AdamW without weight decay would not change them either. The result is
    that of dense AdamW, unlike `torch.optim.SparseAdam`, which freezes the moments of rows missing from a batch.
    """

    def __init__(self, weight: nn.Parameter) -> None:
        self.rows = torch.empty(0, dtype=torch.int64, device=weight.device)
        self.slots = torch.full((len(weight),), -1, dtype=torch.int64, device=weight.device)
        self.mean = self.square = weight.new_zeros((0, *weight.shape[1:]), dtype=wide(weight.dtype))
        self.master = self.mean
        self.step = torch.zeros((), dtype=torch.float32, device=weight.device)

    def open(self, weight: nn.Parameter) -> _KernelInput:
        grad = _take_gradient(weight)
        # The gradient is dense if the weight was also used outside the lookup; then every row has one.
        grad = (grad if grad.is_sparse else grad.to_sparse(1)).coalesce()
        touched = grad.indices()[0]
        # `slots` maps a row of the table to its place in the moments, -1 for a row without any.
        new = touched[self.slots[touched] < 0]
        self.slots[new] = torch.arange(len(self.rows), len(self.rows) + len(new), device=new.device)
        self.rows = torch.cat([self.rows, new])
        zeros = self.mean.new_zeros((len(new), *self.mean.shape[1:]))
        self.mean, self.square = torch.cat([self.mean, zeros]), torch.cat([self.square, zeros])
        # Rows with moments but no gradient in this batch get a zero gradient: dense AdamW moves them by momentum.
        dense = torch.zeros_like(self.mean)
        dense[self.slots[touched]] = grad.values().to(dense.dtype)
        if weight.dtype == dense.dtype:
            # Indexing copies the rows; `close` writes them back.
            return _KernelInput(weight[self.rows], dense, self.mean, self.square, self.step)
        self.master = torch.cat([self.master, weight[new].to(dense.dtype)])
        return _KernelInput(self.master, dense, self.mean, self.square, self.step)

    def close(self, weight: nn.Parameter, part: _KernelInput) -> None:
        weight.index_copy_(0, self.rows, part.weight.to(weight.dtype))

    def sync_master(self, weight: nn.Parameter) -> None:
        if weight.dtype != self.mean.dtype:
            self.master = _synced(self.master, weight[self.rows])


def _synced(master: Tensor, weight: Tensor) -> Tensor:
    """Returns the master, with elements that do not round to the parameter's value replaced by that value."""
    # Elementwise rather than "if anything changed", because a branch would make the host wait for a GPU.
    return torch.where(master.to(weight.dtype) == weight, master, weight.to(master.dtype))


def gradient_norm(weights: Sequence[nn.Parameter]) -> Tensor:
    """Returns the Euclidean norm of all gradients together, a scalar in fp32 at least."""
    grads = [weight.grad for weight in weights if weight.grad is not None]
    # As in `torch.nn.utils.clip_grad_norm_`: one fused call for the norms of all tensors, then the norm of the norms.
    norms = torch._foreach_norm([grad.coalesce().values() if grad.is_sparse else grad for grad in grads])
    total: Tensor = torch.linalg.vector_norm(torch.stack([at_least_fp32(norm) for norm in norms]))
    return total


def _take_gradient(weight: nn.Parameter) -> Tensor:
    """Returns the gradient of a parameter and removes it, so that its memory can be freed early."""
    grad, weight.grad = weight.grad, None
    assert grad is not None
    return grad


@contextmanager
def embeddings_by_row(model: nn.Module) -> Iterator[None]:
    """Within the block, makes large embeddings on the CPU return sparse gradients, with only the rows looked up.

    A dense gradient has a row for every word of the vocabulary; computing, measuring and applying it took a fifth of a
    training step of a small encoder. Excluded are tables that are tied to another module, such as an output layer, and
    embedding modules that borrow the weight of another module.
    """
    uses: dict[Tensor, int] = {}
    # `_parameters` rather than `parameters()`, which would list a shared weight only once.
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
        # A tied weight gets a dense gradient from its other use anyway.
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
