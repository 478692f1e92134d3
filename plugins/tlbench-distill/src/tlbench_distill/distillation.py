"""Knowledge distillation from a teacher that is adapted to the same training examples first. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tlbench_finetune.finetuning.base_classes import Finetuning
from tlbench_finetune.finetuning.whole import FullFinetune
from tlbench_finetune.probes.linear_probe import LinearProbe

from tlbench import (
    Backbone,
    Classes,
    Float,
    Job,
    MultiLabel,
    Resources,
    Scalar,
    Space,
    SpaceContext,
    Strategy,
    Task,
    UsageError,
    Value,
)
from tlbench.training import GradientStrategy, Objective

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.training import Model, Step


@dataclass(frozen=True)
class Distill(Finetuning):
    """Full fine-tuning on the labels and on the predictions of a teacher, another backbone adapted to the same task.

    The loss is (1 - alpha) times the task's plus alpha times the soft loss: for classes and labels the cross-entropy
    with the teacher's probabilities, both at the temperature T and multiplied by T^2, for numbers the squared error.
    """

    name: ClassVar[str] = "distill"
    family: ClassVar[str] = "teacher"
    paper: ClassVar[str] = (
        "Hinton et al. 2015, arXiv:1503.02531; hidden states: Sanh et al. 2019, arXiv:1910.01108, and Jiao et al. 2020,"
        " arXiv:1909.10351"
    )
    teacher: str = ""
    """The name of the teacher's backbone."""
    teacher_strategy: Literal["full-finetune", "linear-probe"] = "full-finetune"
    """How the teacher is adapted, with the default hyperparameters of this strategy."""
    hidden: float = 0.0
    """Weight of the loss between the hidden states of teacher and student; 0 for none."""
    hidden_stages: Literal["last", "all"] = "last"
    """Which hidden states are compared: those of the last stages, or of all stages of the student."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.hidden < math.inf:
            raise UsageError(f"distill[hidden={self.hidden:g}]: give a number of at least 0")

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates of full fine-tuning, the weight of the soft loss, and Hinton's temperatures."""
        space = {**super().space(about), "alpha": Float(0.1, 1.0)}
        return space if isinstance(about.task.output, Scalar) else {**space, "temperature": Float(1.0, 20.0, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the usual alpha and temperature of comparisons (Tian et al. 2020, arXiv:1910.10699)."""
        defaults = {**super().defaults(about), "alpha": 0.9}
        return defaults if isinstance(about.task.output, Scalar) else {**defaults, "temperature": 4.0}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why there is no teacher, or why an output or an option is not supported, or None."""
        if not self.teacher:
            return "distill needs a teacher: name a backbone, as in distill[teacher=bert-base]"
        if not isinstance(task.output, Classes | MultiLabel | Scalar):
            return (
                f"distill learns classes, labels or numbers of a teacher; {type(task.output).__name__} has none of them"
            )
        if self.mixup_alpha:
            return "mixup_alpha mixes images, and the teacher's predictions are of unmixed ones"
        if self.early_stopping_patience is not None:
            return "early_stopping_patience scores training examples whose labels the teacher has seen"
        return super().supports(backbone, task)

    def needs(self) -> tuple[str, ...]:
        """Returns the teacher's backbone."""
        return (f"backbone:{self.teacher}",) if self.teacher else ()

    @property
    def teaching(self) -> Strategy:
        """How the teacher is adapted."""
        way = FullFinetune if self.teacher_strategy == "full-finetune" else LinearProbe
        return way(class_weight=self.class_weight)

    def accepts(self, need: str, item: Backbone | Task, task: Task) -> str | None:
        """Returns why a backbone cannot be the teacher on this task, or None."""
        return self.teaching.supports(item, task) if isinstance(item, Backbone) else None

    def resources_of_need(self, need: str, item: Backbone, task: Task) -> Resources:
        """Returns the memory of adapting the teacher."""
        return self.teaching.resources(item, task)

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why an option makes no sense beside other parts (not all of the student is trained), or None."""
        wrap = parts.get("wrap", self)
        if self.hidden and wrap.trains != "all":
            return f"hidden compares states of a student that is trained as a whole, and {wrap.name} does not"
        return super().clash(parts)

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the loss of labels and of the teacher's answers, with maps between hidden states of unlike widths.

        Raises:
            PluginError: The teacher's head gives no probabilities.
        """
        from tlbench_distill.hidden_states import HiddenMatch
        from tlbench_distill.soft_targets import soft_loss, teach

        # The key is the same for all trials, since nothing here depends on the params.
        stages = self.hidden_stages if self.hidden else None
        lesson = job.once("teacher", lambda: teach(job, self.teacher, self.teaching, stages))
        alpha, temperature = float(job.params["alpha"]), float(job.params.get("temperature", 1.0))
        match = HiddenMatch(lesson.states, job) if lesson.states is not None else None

        def loss(step: Step) -> Tensor:
            outputs = match.outputs(model.encoder, step.batch) if match else []
            logits = model.head(model.encoder, outputs[-1]) if match else model(step.batch)
            answers = lesson.answers[job.train.owners[step.rows]].to(step.targets.device)
            total = (1 - alpha) * model.head.loss(logits, step.targets)
            total = total + alpha * soft_loss(model.head, logits, answers, job.task.output, temperature)
            return total + self.hidden * match(model.encoder, outputs, step.rows) if match else total

        return Objective(loss, modules=[match.projections] if match else ())
