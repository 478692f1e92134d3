"""The parts of the training loop that a strategy may replace, such as loss and optimiser, and losses kept as notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from tlbench.modeling.data import Batch
from tlbench.training.adamw import gradient_norm
from tlbench.training.parameters import Group

if TYPE_CHECKING:
    from tlbench.training.model import Model


@dataclass(frozen=True)
class Step:
    """One training step, as passed to a loss and to a hook."""

    model: Model
    """The model, in train mode except for frozen modules."""
    batch: Batch
    """The batch on the model's device: raw rows, or cached hidden states of a frozen prefix."""
    targets: Tensor
    """The targets of the batch, in the form of the head's loss."""
    rows: Sequence[int]
    """The indices of the batch in the training data."""
    number: int
    """The number of the step, from 1."""
    total: int
    """The total number of steps."""

    def task_loss(self) -> Tensor:
        """Returns the head's loss after one forward pass of the batch, a scalar."""
        return self.model.head.loss(self.model(self.batch), self.targets)


Loss: TypeAlias = Callable[[Step], Tensor]
"""Returns the scalar to minimise; it may run several forward passes, such as R-Drop's two."""


def adds_up(loss: Loss) -> Loss:
    """Marks a loss as the task's own plus terms that are the same for all rows, and returns it.

    A batch that does not fit in memory is trained in parts only with such a loss: the mean of the parts' losses,
    weighted by `Head.loss_terms`, is then the loss of the batch.
    """
    loss.adds_up = True  # type: ignore[attr-defined]
    return loss


AfterStep: TypeAlias = Callable[[Step], bool | None]
"""A hook that is called after the update, before the gradients are removed. It may change parameters and freeze or
unfreeze them; changes are saved for parameters that are in a group or were ever trainable. True ends training."""
NewOptimizer: TypeAlias = Callable[[list[Group]], torch.optim.Optimizer]
"""Returns an optimiser for groups with params, lr and weight_decay, whose `step` needs no closure."""
LOSS_PARTS = 10
"""The steps are divided into this number of equal parts; `EndLosses` averages over the first part and the last one,
since the losses of single batches vary."""
CURVE_POINTS = 20
"""Largest number of points of a curve of the training loss."""


class TorchOptimizer:
    """An optimiser of torch with the interface of `AdamW` in this package: a learning rate factor, and clipping."""

    def __init__(self, optimizer: torch.optim.Optimizer, max_grad_norm: float) -> None:
        self.optimizer = optimizer
        self.max_grad_norm = max_grad_norm
        self._learning_rates = [group["lr"] for group in optimizer.param_groups]

    @property
    def weights(self) -> list[nn.Parameter]:
        """All parameters in the groups."""
        return [weight for group in self.optimizer.param_groups for weight in group["params"]]

    def step(self, factor: float) -> Tensor:
        """Updates the parameters at `factor` times their learning rates and returns the gradient norm before clipping.

        The clipped gradients remain until `zero_grad`.
        """
        # A strategy may add groups during training, for gradual unfreezing.
        self._learning_rates += [group["lr"] for group in self.optimizer.param_groups[len(self._learning_rates) :]]
        for group, lr in zip(self.optimizer.param_groups, self._learning_rates, strict=True):
            group["lr"] = lr * factor
        norm = gradient_norm(self.weights)
        scale = (norm / self.max_grad_norm).clamp(min=1.0)
        for weight in self.weights:
            if weight.grad is not None:
                weight.grad.div_(scale)
        self.optimizer.step()
        return norm

    def zero_grad(self) -> None:
        """Removes all gradients."""
        self.optimizer.zero_grad()

    def sync_masters(self) -> None:
        """Does nothing: torch's optimisers keep no masters, so changed parameters are used as they are."""


class LossCurve:
    """Means of the loss over equal parts of a fit, summed on the device without waiting for its results."""

    def __init__(self, total: int, device: torch.device) -> None:
        self._total, self._parts = total, min(CURVE_POINTS, total)
        self._sums = torch.zeros(self._parts, dtype=torch.float64, device=device)

    def add(self, number: int, loss: torch.Tensor) -> None:
        """Adds the loss of a step, counted from 1."""
        self._sums[(number - 1) * self._parts // self._total] += loss

    def points(self, steps: int) -> list[tuple[int, float]]:
        """Returns the last step and the mean loss of each part, of a fit that ended after `steps` steps."""
        ends = [-(-self._total * part // self._parts) for part in range(1, self._parts + 1)]
        found, first = [], 0
        for end, total in zip(ends, self._sums.tolist(), strict=True):
            last = min(end, steps)
            if last > first:
                found.append((last, total / (last - first)))
            first = end
        return found


class EndLosses:
    """Sums the losses of the first and the last steps of a fit on the device, without waiting for its results."""

    def __init__(self, total: int, device: torch.device) -> None:
        self._total = total
        self._length = max(1, total // LOSS_PARTS)
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._latest = torch.zeros((), device=device)
        self._number = 0

    def add(self, number: int, loss: torch.Tensor) -> None:
        """Adds the loss of a step, counted from 1."""
        self._latest, self._number = loss, number
        if number <= self._length:
            self._sums[0] += loss
        if number > self._total - self._length:
            self._sums[1] += loss

    def notes(self) -> dict[str, float]:
        """Returns the means as notes of the fit: `first_loss` and `last_loss`.

        If training ended early, the last loss is that of the last step.
        """
        first, last = (self._sums / self._length).tolist()
        if self._number < self._total:
            first, last = float(self._sums[0]) / min(self._length, self._number), float(self._latest)
        return {"first_loss": first, "last_loss": last}
