"""Base class of strategies that train on labelled and unlabelled examples together. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tlbench_finetune.finetuning.base import Finetuning
from tlbench_finetune.finetuning.frozen_below import HeadOnly, PartialFinetune
from tlbench_finetune.finetuning.whole import FullFinetune

from tlbench import Backbone, Classes, Job, PluginError, Resources, Space, SpaceContext, Task, Trainable, Value
from tlbench.training import GradientStrategy

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.training import Model


@dataclass(frozen=True)
class UnlabeledTraining(GradientStrategy):
    """Base class of strategies for classes that train all of a backbone, its top stages or the head alone."""

    family: ClassVar[str] = "unlabelled"

    needs_unlabeled: ClassVar[bool] = True
    stages: int | None = None
    """Number of top stages to train; None for all, 0 for the head alone. The frozen stages are computed once."""
    unlabeled_batch_size: int = 16
    """Unlabelled rows per step."""

    @property
    def supervised(self) -> Finetuning:
        """The strategy that trains the same weights on labelled examples alone."""
        if self.stages is None:
            return FullFinetune()
        return PartialFinetune(stages=self.stages) if self.stages else HeadOnly()

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates for training the same weights on labelled examples."""
        return self.supervised.space(about)

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the default learning rate for training the same weights on labelled examples."""
        return dict(self.supervised.defaults(about))

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task (its output is not one class) or a backbone (too few stages) is not supported, or None."""
        if not isinstance(task.output, Classes):
            return f"{self.name} guesses the class of an example, and {type(task.output).__name__} has none or several"
        if self.unlabeled_batch_size < 1:
            return "unlabeled_batch_size must be at least 1"
        return self.supervised.supports(backbone, task) or super().supports(backbone, task)

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns the stages that are trained."""
        return self.supervised.trainable(backbone)

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the memory of a fit, each of whose steps holds a labelled and an unlabelled batch."""
        both = replace(self, train_batch_size=self.train_batch_size + self.unlabeled_batch_size)
        return super(UnlabeledTraining, both).resources(backbone, task)

    def model(self, job: Job) -> Model:
        """Returns the model, with all but the trained stages and the head frozen."""
        return self.supervised.model(job)

    def unlabeled(self, job: Job) -> Data:
        """Returns the unlabelled rows of a fit.

        Raises:
            PluginError: There are none.
        """
        data = job.unlabeled()
        if data is None:
            raise PluginError(
                f"{self.name} learns from unlabelled examples too, and {job.task.name} has none: give a train_limit "
                "below the number of its training examples, whose rest becomes unlabelled"
            )
        return data
