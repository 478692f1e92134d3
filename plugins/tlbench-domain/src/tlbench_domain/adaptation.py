"""Base classes of domain adaptation, and the source-only reference. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from tlbench_semisup.unlabeled_training import UnlabeledTraining

from tlbench import Backbone, Job, Task
from tlbench.training import GradientStrategy

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.training import Loss, Model, Step

DomainOutputs: TypeAlias = "tuple[Tensor, Tensor]"
"""The logits (B, K) of a batch, and its features (B, D): what the model's last layer reads."""
Penalty: TypeAlias = "Callable[[Step, DomainOutputs, DomainOutputs], Tensor]"
"""Returns a scalar, given the step and the outputs of a source batch and of a target batch."""


@dataclass(frozen=True)
class DomainAdaptation(UnlabeledTraining):
    """Base class of strategies that learn from a source domain's labels and a target domain's unlabelled examples.

    With `stages=0` the backbone is frozen, and the head has a hidden layer of 100 units, whose outputs are the features
    that are aligned, as in the experiments of Ganin et al. 2016 on Amazon reviews.
    """

    family: ClassVar[str] = "domains"

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task (it has no target domain) or a backbone is not supported, or None."""
        if task.unlabeled_like != "test":
            return f"{self.name} needs a source and a target domain, and {task.name} has one: try amazon-mdsd"
        return super().supports(backbone, task)

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why it makes no sense beside other parts (their head would be replaced), or None."""
        start = parts.get("start", self)
        if parts.get("wrap") is self and not start.changes_backbone and start is not self:
            return f"with stages=0, {self.name} puts a hidden layer into the head, and {start.name} starts from another"
        return super().clash(parts)

    def model(self, job: Job) -> Model:
        """Returns the model; on a frozen backbone its head has a hidden layer."""
        from tlbench_domain.last_features import add_hidden_layer

        model = super().model(job)
        if self.stages == 0:
            add_hidden_layer(model)
        return model


@dataclass(frozen=True)
class SourceOnly(DomainAdaptation):
    """Trains on the source domain alone: the reference that adaptation has to beat."""

    name: ClassVar[str] = "source-only"
    paper: ClassVar[str] = "as a reference: Ganin et al. 2016, arXiv:1505.07818, table 1 (NN)"
    needs_unlabeled: ClassVar[bool] = False


@dataclass(frozen=True)
class FeatureAlignment(DomainAdaptation):
    """Base class of strategies that make outputs or features of both domains alike while they learn from the source."""

    def aligned(self, model: Model, job: Job, penalty: Penalty) -> Loss:
        """Returns the source's loss plus a penalty.

        Args:
            model: The model.
            job: The job.
            penalty: Returns the penalty of a step.
        """
        from tlbench_semisup.unlabeled_batches import UnlabeledBatches

        from tlbench_domain.last_features import reading_features

        target = UnlabeledBatches(model, job, [self.unlabeled(job)], self.unlabeled_batch_size)

        def loss(step: Step) -> Tensor:
            with reading_features(model) as outputs_of:
                of_source = outputs_of(step.batch)
                of_target = outputs_of(target.batch(target.draw()))
            return model.head.loss(of_source[0], step.targets) + penalty(step, of_source, of_target)

        return loss
