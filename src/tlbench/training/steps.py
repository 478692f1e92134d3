"""What a strategy may put in place of the loop's own: its loss, what follows a step, and the optimiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from tlbench.modeling.data import Batch
from tlbench.training.adamw import gradient_length
from tlbench.training.parameters import Group

if TYPE_CHECKING:
    from tlbench.training.model import Model


@dataclass(frozen=True)
class Step:
    """One step of training."""

    model: Model
    """In train mode, but for what is frozen."""
    batch: Batch
    """On the model's device: raw rows, or the hidden states of a frozen prefix."""
    targets: Tensor
    """Of these rows, as the head's loss wants them."""
    rows: Sequence[int]
    """Which rows of the training data they are."""
    number: int
    """Counted from 1."""
    total: int
    """How many steps there are."""

    def task_loss(self) -> Tensor:
        """Returns the head's loss of one pass over the batch."""
        return self.model.head.loss(self.model(self.batch), self.targets)


Loss: TypeAlias = Callable[[Step], Tensor]
"""Returns the scalar that is made less; it may pass the model over the batch as often as it likes."""
AfterStep: TypeAlias = Callable[[Step], None]
"""Is called when the weights have moved and before the gradients are dropped. It may change weights, and which of them
take a gradient; what it changes is saved where it stands in a group or was ever trainable."""
NewOptimizer: TypeAlias = Callable[[list[Group]], torch.optim.Optimizer]
"""Returns an optimiser of groups of params, lr and weight_decay; one that needs no closure."""


class TorchOptimizer:
    """Steps an optimiser of torch as the loop steps its own: at a share of its rates, after clipping."""

    def __init__(self, optimizer: torch.optim.Optimizer, max_grad_norm: float) -> None:
        self.optimizer = optimizer
        self.max_grad_norm = max_grad_norm
        self._rates = [group["lr"] for group in optimizer.param_groups]

    @property
    def weights(self) -> list[nn.Parameter]:
        """All weights that are moved."""
        return [weight for group in self.optimizer.param_groups for weight in group["params"]]

    def step(self, factor: float) -> Tensor:
        """Moves the weights at `factor` times their learning rates, and returns the gradients' length before clipping.

        The gradients stay until they are dropped.
        """
        # a strategy may add groups on the way
        self._rates += [group["lr"] for group in self.optimizer.param_groups[len(self._rates) :]]
        for group, lr in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = lr * factor
        norm = gradient_length(self.weights)
        scale = (norm / self.max_grad_norm).clamp(min=1.0)
        for weight in self.weights:
            if weight.grad is not None:
                weight.grad.div_(scale)
        self.optimizer.step()
        return norm

    def drop_gradients(self) -> None:
        """Drops all gradients."""
        self.optimizer.zero_grad()

    def adopt_changes(self) -> None:
        """Goes on from weights that somebody else has changed: torch's optimisers keep no copy of them."""
