"""Base class of strategies with an option of which stages to train: all, the top ones, or the head alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench import Backbone, Job, Space, SpaceContext, Task, Trainable, Value
from tlbench.training import GradientStrategy
from tlbench_finetune.finetuning.base_classes import Finetuning
from tlbench_finetune.finetuning.frozen_below import HeadOnly, PartialFinetune
from tlbench_finetune.finetuning.whole import FullFinetune

if TYPE_CHECKING:
    from tlbench.training import Model, Trains


@dataclass(frozen=True)
class ChosenStages(GradientStrategy):
    """Base class of strategies that train all of a backbone, its top stages or the head alone."""

    stages: int | None = None
    """Number of top stages to train; None for all, 0 for the head alone. The frozen stages are computed once."""

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
        """Returns why a backbone (it has too few stages), a task or an option is not supported, or None."""
        return self.supervised.supports(backbone, task) or super().supports(backbone, task)

    @property
    def parts(self) -> frozenset[str]:
        """The parts of a fit that this strategy brings; with `stages` also what is trained."""
        return super().parts if self.stages is not None else super().parts - {"wrap"}

    @property
    def trains(self) -> Trains:
        """What is trained: all weights, the top stages, or the head."""
        return self.supervised.trains

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns the stages that are trained."""
        return self.supervised.trainable(backbone)

    def model(self, job: Job) -> Model:
        """Returns the model, with all but the trained stages and the head frozen."""
        return self.supervised.model(job)
