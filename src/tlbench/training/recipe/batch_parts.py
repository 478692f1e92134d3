"""The forward and backward pass of a training step, in one piece or, where memory is short, in several parts.

The gradients of the parts are added up, weighted by their shares of the terms of the loss, so that a step in parts is
the step of the whole batch up to rounding. Dropout draws its masks part by part, so the masks are others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tlbench.contracts.errors import IndivisibleBatch
from tlbench.modeling.data import Data, moved
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

    def check(self) -> None:
        """Checks that the batches can be divided, if the job asks for parts.

        Raises:
            IndivisibleBatch: The loss or a layer sees the rows of a batch together.
        """
        if self.job.batch_parts == 1:
            return
        if self.loss is not None and not getattr(self.loss, "adds_up", False):
            raise IndivisibleBatch("the strategy's loss may depend on all rows of a batch together")
        if any(isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training for module in self._modules()):
            raise IndivisibleBatch("batch normalisation depends on all rows of a batch together")

    def __call__(self, number: int, indices: list[int]) -> tuple[Tensor, Step]:
        """Returns the detached loss of a step, and the step; of several parts, the step has the last one's rows.

        Args:
            number: The number of the step, from 1.
            indices: The rows of the batch.
        """
        parts = divided(indices, self.job.batch_parts)
        shares = self._shares(parts) if len(parts) > 1 else None
        whole: Tensor | None = None
        for place, rows in enumerate(parts):
            device = self.model.device
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
            whole = value.detach() if whole is None else whole + value.detach()
        assert whole is not None
        return whole, step

    def _shares(self, parts: Sequence[list[int]]) -> Tensor:
        """Returns the share of each part in the terms of the batch's mean loss, (parts,) in fp64."""
        counts = torch.stack([self.model.head.loss_terms(self.targets[rows]).double() for rows in parts])
        # A batch of windows in which no word begins has no terms, and a loss of 0.
        return counts / counts.sum().clamp(min=torch.finfo(torch.float64).tiny)

    def _modules(self) -> list[nn.Module]:
        self.model.train()
        return list(self.model.modules())


def divided(indices: list[int], parts: int) -> list[list[int]]:
    """Returns the rows of a batch in parts of nearly equal size, none of them empty."""
    parts = min(parts, len(indices))
    ends = [len(indices) * part // parts for part in range(parts + 1)]
    return [indices[start:end] for start, end in pairwise(ends)]
