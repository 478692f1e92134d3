"""SetFit: the encoder learns which examples are of one class, then a linear head is fitted. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import msgspec
from tlbench_finetune.finetuning.base_classes import Finetuning
from tlbench_finetune.finetuning.from_probe import start_from_probe
from tlbench_finetune.probes.linear_probe import DEFAULT_L2, L2

from tlbench import (
    Backbone,
    Classes,
    Float,
    Job,
    Predictor,
    Protocol,
    Resources,
    Space,
    SpaceContext,
    Task,
    UsageError,
    Value,
)

PAPER_RATE = 2e-5
"""The learning rate of the paper's experiments."""


@dataclass(frozen=True)
class SetFit(Finetuning):
    """Trains the encoder on pairs of training examples, then fits a linear probe on its embeddings.

    The cosine of two embeddings is drawn to 1 for examples of one class and to 0 for others. For each example there
    are `iterations` pairs of either kind. A protocol without steps or epochs trains one epoch of these pairs.
    """

    name: ClassVar[str] = "setfit"
    paper: ClassVar[str] = "Tunstall et al. 2022, arXiv:2209.11055"
    family: ClassVar[str] = "few and zero shot"
    iterations: int = 20
    """Number of pairs of one class, and of different classes, that are drawn for each training example (R)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.iterations < 1:
            raise UsageError(f"setfit[iterations={self.iterations}]: at least 1 pair of each kind for an example")

    @property
    def reports_scores(self) -> bool:
        """False: the head is fitted after the encoder, so there is nothing to score before."""
        return False

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates around the paper's, and the L2 penalties of the linear probe."""
        return {"lr": Float(PAPER_RATE / 10, PAPER_RATE * 10, log=True), "l2": L2}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the paper's learning rate and the default penalty of the linear probe."""
        return {"lr": PAPER_RATE, "l2": DEFAULT_L2}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task or an option of the recipe is not supported, or None."""
        if not isinstance(task.output, Classes):
            return f"setfit compares examples by their class; {type(task.output).__name__} has none or several"
        if task.pairs:
            return "setfit compares the embeddings of single texts, and the examples of this task are pairs"
        for option in ("label_smoothing_factor", "mixup_alpha", "early_stopping_patience"):
            if getattr(self, option):
                return f"{option} concerns a loss with labels, and setfit trains on pairs of examples"
        return super().supports(backbone, task)

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the memory of a fit, each of whose steps holds both examples of its pairs."""
        return super(SetFit, replace(self, train_batch_size=2 * self.train_batch_size)).resources(backbone, task)

    def fit(self, job: Job) -> Predictor:
        """Returns the encoder trained on pairs, with a linear probe as its head."""
        from tlbench.training import ModelPredictor, groups_of
        from tlbench_fewshot.contrastive_pairs import PairLoss

        model = self.model(job)
        pairs = PairLoss(job, self.iterations, self.train_batch_size)
        if pairs.count:
            model.head.requires_grad_(False)
            lr, steps = float(job.params["lr"]), self.steps(job.protocol, pairs.count)
            # During training the head is still untrained, so its scores would mislead a pruner.
            protocol = msgspec.structs.replace(job.protocol, max_steps=steps, pruner="none")
            groups = groups_of(model.encoder, lr, self.weight_decay)
            self.train(model, replace(job, protocol=protocol), groups, loss=pairs.loss)
            model.head.requires_grad_(True)
        start_from_probe(job, self.class_weight)
        job.notes["pairs"] = float(pairs.count)
        return ModelPredictor(model, job.precision, job.activations)

    def steps(self, protocol: Protocol, pairs: int) -> int:
        """Returns the protocol's number of steps, or that of its epochs of all pairs; one epoch without either."""
        if protocol.max_steps is not None:
            return protocol.max_steps
        return max(1, round((protocol.epochs or 1.0) * math.ceil(pairs / self.train_batch_size)))
