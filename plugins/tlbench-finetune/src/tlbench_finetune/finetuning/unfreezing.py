"""Strategies that choose which stages are trained: one after the other from the top, or one block of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import Backbone, Job, PluginError, Space, SpaceContext, Task, Trainable, UsageError, Value
from tlbench.training import GradientStrategy
from tlbench_finetune.finetuning.base_classes import Finetuning
from tlbench_finetune.rates import rates

if TYPE_CHECKING:
    from tlbench.training import AfterStep, Group, Model, Step, Trains

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class GradualUnfreezing(Finetuning):
    """Trains the head first and unfreezes one more stage at a time, from the top down to the embeddings.

    The steps are divided into equal parts: one for the head alone, and one after each stage that is unfrozen.
    """

    name: ClassVar[str] = "gradual-unfreezing"
    paper: ClassVar[str] = "Howard & Ruder 2018, arXiv:1801.06146"
    family: ClassVar[str] = "part of the weights"

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why it makes no sense beside other parts (they keep stages frozen), or None."""
        wrap = parts.get("wrap", self)
        if wrap.trains != "all":
            return f"gradual-unfreezing trains all weights in the end, and {wrap.name} does not"
        return super().clash(parts)

    def parameter_groups(self, model: Model, job: Job) -> Sequence[Group]:
        """Returns the groups of all weights, and freezes all but the head."""
        from tlbench.training import freeze, groups_of

        # The groups must hold every weight that will be trained, so they are built before anything is frozen.
        groups = groups_of(model, float(job.params["lr"]), self.weight_decay)
        freeze(model, len(job.encoder.stages))
        return groups

    def after_step(self, model: Model, job: Job) -> AfterStep:
        """Returns the hook that unfreezes one stage after the other."""
        return _unfreezing(model)


def _unfreezing(model: Model) -> AfterStep:
    """Returns a hook that unfreezes the next lower stage at the end of each equal part of the steps."""
    encoder = model.encoder
    count = len(encoder.stages)

    def after_step(step: Step) -> None:
        # Stage `count - 1` is unfrozen after the first of `count + 1` parts, stage 0 before the last.
        trained = step.number * (count + 1) // step.total
        for _, weight in encoder.stage_parameters(max(count - trained, 0)):
            weight.requires_grad_(True)

    return after_step


@dataclass(frozen=True)
class Surgical(Finetuning):
    """Trains a block of stages and the head; the other stages keep their pretrained weights.

    Which block is best depends on how the task differs from pre-training: the first stages for changed inputs, the
    last ones for changed labels. Stages are numbered from 0, the embeddings or the stem.
    """

    name: ClassVar[str] = "surgical"
    paper: ClassVar[str] = "Lee et al. 2023, arXiv:2210.11466"
    family: ClassVar[str] = "part of the weights"
    stages: str = "0"
    """The trained stages: one number, or the first and the last of a range, such as "1-2"."""

    def __post_init__(self) -> None:
        super().__post_init__()
        match = _RANGE.fullmatch(self.stages)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise UsageError(
                f"surgical[stages={self.stages}]: give one stage or a range, such as stages=0 or stages=1-2"
            )

    @property
    def first(self) -> int:
        """The number of the first trained stage."""
        return int(self.stages.partition("-")[0])

    @property
    def last(self) -> int:
        """The number of the last trained stage."""
        return int(self.stages.rpartition("-")[2])

    def space(self, about: SpaceContext) -> Space:
        """Returns a higher range than for full fine-tuning, since frozen stages keep their pretrained weights."""
        return {"lr": rates(about).top}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns four times the learning rate of full fine-tuning."""
        return {"lr": 4 * rates(about).default}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone is not supported (it does not have these stages), or None."""
        above = backbone.card().stages if backbone else None
        if above is not None and self.last > above:
            return f"stages={self.stages}, but the last stage of the backbone has the number {above}: choose lower ones"
        return super().supports(backbone, task)

    @property
    def trains(self) -> Trains:
        """What is trained: some stages."""
        return "some stages"

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns the number of stages that gradients pass through: the trained ones and all above them."""
        above = backbone.card().stages
        return Trainable() if above is None else Trainable(max(0, above + 1 - self.first))

    def model(self, job: Job) -> Model:
        """Returns the model with everything frozen but the chosen stages and the head.

        Raises:
            PluginError: The encoder does not have these stages.
        """
        from tlbench.training import Model

        count = len(job.encoder.stages)
        # Checked again: `supports` reads the card, which may not know the number of stages.
        if self.last >= count:
            raise PluginError(f"stages={self.stages}, but the last stage of the encoder has the number {count - 1}")
        # The stages below the chosen ones are computed once and cached; those above are frozen but pass gradients on.
        model = Model(job.encoder, job.head, start=self.first)
        for _, weight in job.encoder.stage_parameters(self.last + 1):
            weight.requires_grad_(False)
        return model
