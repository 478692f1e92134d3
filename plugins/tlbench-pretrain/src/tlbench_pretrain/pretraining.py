"""Trains an encoder on unlabelled rows, and measures the loss on rows that are kept aside."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec
import numpy as np
import torch
from torch import Tensor

from tlbench import Examples, Job, PluginError, Predictions
from tlbench.modeling.data import Batch, Data, Meter
from tlbench.modeling.encoder import Encoder
from tlbench.modeling.heads import Head, Outputs
from tlbench.modeling.precision import autocast
from tlbench.training import Model, Step, train
from tlbench.training.model import placed

HELD_OUT, AT_MOST, AT_LEAST = 0.1, 200, 2
"""The share of the examples that are kept aside to measure the loss, and the bounds of their number."""
HEAD_LR = 1e-3
"""Learning rate of a new head that is trained alone."""


class PretrainingHead(Head):
    """Computes the loss of a self-supervised objective; it predicts nothing and is discarded after pre-training."""

    measure: ClassVar[str]
    """Name of the loss in notes."""
    in_train_mode: ClassVar[bool] = False
    """Whether the loss is measured with dropout, which the objective itself needs."""

    @abstractmethod
    def losses(self, encoder: Encoder, batch: Batch, targets: Tensor) -> tuple[Tensor, ...]:
        """Returns the single losses of each part of the objective, (N,) each; the first part is the one measured."""

    def step_loss(self, step: Step) -> Tensor:
        """Returns the sum of the parts' mean losses."""
        parts = self.losses(step.model.encoder, step.batch, step.targets)
        return torch.stack([part.sum() / max(1, len(part)) for part in parts]).sum()

    def targets(self, data: Data) -> Tensor:
        """Returns zeros, (rows,): the targets are in the inputs themselves."""
        return torch.zeros(len(data), dtype=torch.long)

    def loss(self, logits: Any, targets: Tensor) -> Tensor:
        """Raises: the loss is that of `losses`."""
        raise NotImplementedError

    def outputs(self, logits: Any) -> Outputs:
        """Raises: nothing is predicted."""
        raise NotImplementedError

    def merge(self, outputs: list[Outputs], data: Data) -> Predictions:
        """Raises: nothing is predicted."""
        raise NotImplementedError


@dataclass(frozen=True)
class Pretrained:
    """The outcome of a pre-training."""

    weights: dict[str, Tensor]
    """Copies of the encoder's parameters and buffers, on the CPU."""
    notes: dict[str, float]
    """The loss on rows kept aside before and after, and the number of rows trained on."""


def pretrained(
    head: PretrainingHead, data: Data, job: Job, *, steps: int, lr: float, batch_size: int, head_steps: int = 0
) -> Pretrained:
    """Returns the weights of the job's encoder after training it on the rows, without labels.

    Args:
        head: The new head.
        data: The rows.
        job: The job.
        steps: Number of steps of encoder and head together.
        lr: Their learning rate.
        batch_size: Rows per step.
        head_steps: Number of steps before, in which the head is trained on the encoder as it is, at `HEAD_LR`.

    Raises:
        PluginError: There are too few examples.
        Diverged: A loss, a gradient or a parameter is not finite.
    """
    head.to(job.device)
    rows, aside = kept_aside(data, job.seed)
    before = measured(head, job.encoder, aside, job.precision, batch_size)
    if head_steps:
        trainable = [weight for weight in job.encoder.parameters() if weight.requires_grad]
        job.encoder.requires_grad_(False)
        _train(head, rows, job, head_steps, HEAD_LR, batch_size)
        for weight in trainable:
            weight.requires_grad_(True)
    _train(head, rows, job, steps, lr, batch_size)
    after = measured(head, job.encoder, aside, job.precision, batch_size)
    weights = {name: tensor.detach().cpu().clone() for name, tensor in job.encoder.state_dict().items()}
    notes = {f"{head.measure}_before": before, f"{head.measure}_after": after, "pretraining_rows": float(len(rows))}
    return Pretrained(weights, notes)


def _train(head: PretrainingHead, rows: Data, job: Job, steps: int, lr: float, batch_size: int) -> None:
    """Trains the job's encoder, unless it is frozen, and the head."""
    protocol = msgspec.structs.replace(job.protocol, max_steps=steps, epochs=None, pruner="none")
    phase = replace(
        job, head=head, train=rows, held_out=None, params={"lr": lr}, protocol=protocol, notes={}, losses=[]
    )
    train(Model(job.encoder, head), rows, phase, batch_size=batch_size, loss=head.step_loss)


def kept_aside(data: Data, seed: int) -> tuple[Data, Data]:
    """Returns the rows to train on, and those of a random tenth of the examples, on which the loss is measured.

    Raises:
        PluginError: There are too few examples.
    """
    count = len(data.examples)
    if count < 2 * AT_LEAST:
        raise PluginError(f"pre-training needs at least {2 * AT_LEAST} unlabelled examples, and there are {count}")
    size = min(AT_MOST, max(AT_LEAST, round(HELD_OUT * count)))
    order = np.random.default_rng(seed).permutation(count).tolist()
    return data.take(order[size:]), data.take(order[:size])


def measured(head: PretrainingHead, encoder: Encoder, data: Data, precision: str, batch_size: int) -> float:
    """Returns the mean loss of the rows; random choices, such as what is masked, are the same at each call."""
    targets, losses = head.targets(data), []
    device = encoder.device
    was_training = encoder.training
    encoder.train(head.in_train_mode)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        for first in range(0, len(data), batch_size):
            rows = range(first, min(first + batch_size, len(data)))
            with torch.no_grad(), autocast(device, precision):
                batch = placed(data.batch(rows), device)
                losses.append(head.losses(encoder, batch, targets[rows.start : rows.stop].to(device))[0])
    encoder.train(was_training)
    return float(torch.cat(losses).double().mean())


def unlabeled_inputs(job: Job) -> Data:
    """Returns the rows of the training examples and of the unlabelled ones, without labels."""
    unlabeled = job.unlabeled()
    return joined([job.train] if unlabeled is None else [job.train, unlabeled])


def joined(parts: Sequence[Data]) -> Data:
    """Returns the rows of several data of one task as one, without labels."""
    ends = np.cumsum([0, *(len(part.examples) for part in parts)])
    return replace(
        parts[0],
        examples=Examples(example for part in parts for example in part.examples).without_targets(),
        rows=[row for part in parts for row in part.rows],
        lengths=np.concatenate([part.lengths for part in parts]),
        owners=np.concatenate([part.owners + end for part, end in zip(parts, ends, strict=False)]),
        fingerprint="+".join(part.fingerprint for part in parts),
        alignment=None,
        truncated=None,
        shared=None,
        meter=Meter(),
    )
