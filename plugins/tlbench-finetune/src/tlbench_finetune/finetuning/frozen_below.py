"""Strategies that train the top of the backbone and keep the stages below frozen: partial fine-tuning, head only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import Backbone, Float, Job, PluginError, Space, SpaceContext, Text, Trainable, Value
from tlbench_finetune.finetuning.base_classes import Finetuning, TopStages
from tlbench_finetune.rates import rates

if TYPE_CHECKING:
    from tlbench.training import Model, Trains


@dataclass(frozen=True)
class PartialFinetune(TopStages):
    """Trains the top stages and the head; the frozen stages below are computed once and cached."""

    name: ClassVar[str] = "partial-finetune"
    paper: ClassVar[str] = "Yosinski et al. 2014, arXiv:1411.1792; Lee et al. 2019, arXiv:1911.03090"
    family: ClassVar[str] = "part of the weights"
    stages: int = 2
    """Number of top stages to train."""

    def space(self, about: SpaceContext) -> Space:
        """Returns a higher range than for full fine-tuning, since frozen stages keep their pretrained weights."""
        return {"lr": rates(about).top}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns four times the learning rate of full fine-tuning."""
        return {"lr": 4 * rates(about).default}

    @property
    def trains(self) -> Trains:
        """What is trained: the top stages."""
        return "some stages"

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns the number of trained top stages."""
        return Trainable(self.stages)

    def model(self, job: Job) -> Model:
        """Returns the model with everything frozen but the top stages and the head.

        Raises:
            PluginError: The encoder has too few stages to leave one frozen.
        """
        from tlbench.training import Model

        return Model(job.encoder, job.head, start=self.lowest(job))


@dataclass(frozen=True)
class HeadOnly(Finetuning):
    """Trains a new head by gradient descent on the frozen encoder's cached output.

    Works for every kind of output; where the head is a pretrained decoder, the decoder is trained.
    """

    name: ClassVar[str] = "head-only"
    paper: ClassVar[str] = "Donahue et al. 2014, arXiv:1310.1531; Yosinski et al. 2014, arXiv:1411.1792"
    family: ClassVar[str] = "frozen features"

    def space(self, about: SpaceContext) -> Space:
        """Returns a high learning-rate range for a new layer, or the fine-tuning range for a pretrained decoder."""
        return {"lr": rates(about).whole if isinstance(about.task.output, Text) else Float(3e-4, 3e-2, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a learning rate at which a new linear layer converges within about a hundred steps."""
        return {"lr": rates(about).default if isinstance(about.task.output, Text) else 5e-3}

    @property
    def trains(self) -> Trains:
        """What is trained: the head."""
        return "head"

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns `Trainable(0)`, because no encoder stage is trained."""
        return Trainable(0)

    def model(self, job: Job) -> Model:
        """Returns the model with everything frozen but the head.

        Raises:
            PluginError: The head has no weights of its own.
        """
        from tlbench.training import Model

        # A decoder whose output layer is tied to the input embeddings leaves nothing outside the encoder to train.
        if next(job.head.parameters(), None) is None:
            raise PluginError(
                "the head has no weight of its own to train: its output layer is the encoder's; use full-finetune"
            )
        return Model(job.encoder, job.head, start=len(job.encoder.stages))
