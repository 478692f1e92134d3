"""Multi-task learning: one encoder for several tasks, with a head for each. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tlbench_finetune.finetuning.base_classes import Finetuning

from tlbench import Backbone, Job, Task, Text
from tlbench.training import GradientStrategy, Objective

if TYPE_CHECKING:
    from tlbench.training import Model


@dataclass(frozen=True)
class MultiTask(Finetuning):
    """Full fine-tuning on several tasks at once, which share the encoder and have a head each.

    Each step is on a batch of one task, which is drawn at random. The protocol's number of steps is that of all tasks
    together; its epochs are passes over the examples of the task itself.
    """

    name: ClassVar[str] = "multi-task"
    paper: ClassVar[str] = "Caruana 1997, doi:10.1023/A:1007379606734; Liu et al. 2019, arXiv:1901.11504"
    family: ClassVar[str] = "other tasks"
    tasks: str = ""
    """The names of the other tasks, joined by a plus sign."""
    mixing: Literal["proportional", "equal"] = "proportional"
    """How tasks are drawn: in proportion to their training examples, or equally often (Raffel et al. 2020, 3.5.2)."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the other tasks."""
        return tuple(name.strip() for name in self.tasks.split("+") if name.strip())

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why there are no other tasks, or why a task or an option is not supported, or None."""
        if not self.names:
            return "multi-task needs other tasks: name them, as in multi-task[tasks=mnli+qqp]"
        if len({*self.names}) < len(self.names):
            return f"multi-task names a task twice: {self.tasks}"
        if isinstance(task.output, Text):
            return "multi-task shares the encoder between tasks, and texts are written by a decoder"
        if self.mixup_alpha:
            return "mixup_alpha mixes images of one batch and task, and multi-task trains on several tasks"
        return super().supports(backbone, task)

    def needs(self) -> tuple[str, ...]:
        """Returns the other tasks."""
        return tuple(f"task:{name}" for name in self.names)

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why it makes no sense beside other parts (stages are computed once), or None."""
        wrap = parts.get("wrap", self)
        if wrap.trains in ("some stages", "head") or getattr(wrap, "stages", None) is not None:
            return f"multi-task reads batches of several tasks, and {wrap.name} caches stages for those of one"
        return super().clash(parts)

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the loss of one task at each step, and the heads of the other tasks."""
        from tlbench_multitask.task_batches import TaskBatches

        batches = TaskBatches(job, [job.other(name) for name in self.names], self)
        return Objective(batches.loss, modules=batches.heads, own_share=batches.shares[0])
