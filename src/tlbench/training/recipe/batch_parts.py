"""The passes of a training step: in one piece, in parts where memory is short, or on several devices.

The gradients of the parts are added up, weighted by their shares of the terms of the loss, so that a step in parts is
the step of the whole batch up to rounding. Dropout draws its masks part by part, so the masks are others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tlbench.contracts.errors import IndivisibleBatch, PluginError, TlbenchError
from tlbench.modeling.data import Data, moved
from tlbench.modeling.devices.device_group import ALONE, DeviceGroup
from tlbench.modeling.precision import autocast
from tlbench.training.checks import check_loss
from tlbench.training.model import Model, placed
from tlbench.training.steps import Loss, Step

if TYPE_CHECKING:
    from tlbench.contracts.fits.job import Job


@dataclass(frozen=True, eq=False)
class BatchPass:
    """Computes the loss of a batch and adds its gradients to those of the parameters."""

    model: Model
    data: Data
    targets: Tensor
    job: Job
    loss: Loss | None
    total: int
    """The total number of steps."""

    @property
    def group(self) -> DeviceGroup:
        """The processes that divide each batch among them."""
        return self.job.device_group or ALONE

    def check(self) -> None:
        """Checks that the batches can be divided, if the job asks for parts or has several devices.

        Raises:
            IndivisibleBatch: The job asks for parts, and the loss or a layer sees the rows of a batch together.
            PluginError: The same on several devices.
        """
        if self.job.batch_parts == self.group.size == 1:
            return
        if self.loss is not None and not getattr(self.loss, "adds_up", False):
            raise self._indivisible("the strategy's loss may depend on all rows of a batch together")
        if any(isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training for module in self._modules()):
            raise self._indivisible("batch normalisation depends on all rows of a batch together")

    def __call__(self, number: int, indices: list[int]) -> tuple[Tensor, Step]:
        """Returns the detached loss of a step, and the step; of several parts, the step has the last one's rows.

        On several devices, the loss and the gradients are this device's terms of those of the batch.

        Args:
            number: The number of the step, from 1.
            indices: The rows of the batch.
        """
        device, group = self.model.device, self.group
        # The parts of all devices, of which this process passes those of its own.
        parts_of_ranks = [divided(rows, self.job.batch_parts) for rows in group.rows_of_ranks(indices)]
        parts = list(chain.from_iterable(parts_of_ranks))
        mine = parts_of_ranks[group.rank]
        first = sum(map(len, parts_of_ranks[: group.rank]))
        shares = self._shares(parts) if len(parts) > 1 else None
        self.data.meter.rows += len(indices) - sum(map(len, mine))
        whole = torch.zeros((), device=device)
        step = Step(self.model, {}, self.targets[:0], [], number, self.total)
        for place, rows in enumerate(mine, first):
            batch = placed(self.data.serve(rows), device)
            # Augmented inputs may have moved their targets, which then come with them. Others are indexed on the host,
            # because indexing on a GPU by a list makes the host wait for it.
            targets = batch.pop("targets") if "targets" in batch else moved(self.targets[rows], device)
            step = Step(self.model, batch, targets, rows, number, self.total)
            with autocast(device, self.job.precision):
                value = check_loss(step.task_loss() if self.loss is None else self.loss(step), self.loss, self.model)
            if shares is not None:
                value = value * shares[place].to(value)
            value.backward()
            whole = value.detach() if place == first else whole + value.detach()
        return whole, step

    def _indivisible(self, reason: str) -> TlbenchError:
        if self.group.size == 1:
            return IndivisibleBatch(reason)
        return PluginError(f"{reason}, so that it cannot be divided among devices: leave out --devices")

    def _shares(self, parts: Sequence[list[int]]) -> Tensor:
        """Returns the share of each part in the terms of the batch's mean loss, (parts,) in fp64."""
        counts = torch.stack([self.model.head.loss_terms(self.targets[rows]).double() for rows in parts])
        # A batch of windows in which no word begins has no terms, and a loss of 0.
        return counts / counts.sum().clamp(min=torch.finfo(torch.float64).tiny)

    def _modules(self) -> list[nn.Module]:
        self.model.train()
        return list(self.model.modules())


def divided(indices: list[int], parts: int) -> list[list[int]]:
    """Returns rows of a batch in parts of nearly equal size, none of them empty."""
    if not indices:
        return []
    parts = min(parts, len(indices))
    ends = [len(indices) * part // parts for part in range(parts + 1)]
    return [indices[start:end] for start, end in pairwise(ends)]
