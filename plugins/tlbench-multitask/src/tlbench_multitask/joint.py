"""Multi-task learning: one encoder for several tasks, with a head for each. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import msgspec
from tlbench_finetune.finetuning.base import Finetuning

from tlbench import Backbone, Job, Predictor, Task, Text


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

    def fit(self, job: Job) -> Predictor:
        """Returns the trained model with the head of the job's own task."""
        from torch import nn

        from tlbench.training import DEFAULT_EPOCHS, groups_of
        from tlbench_multitask.task_batches import TaskBatches

        model = self.model(job)
        others = [job.other(name) for name in self.names]
        batches = TaskBatches(job, others, self)
        groups = groups_of(nn.ModuleList([model, *batches.heads]), float(job.params["lr"]), self.weight_decay)
        if job.protocol.max_steps is None:
            # The loop counts epochs by the steps of its own data, of which this is a share.
            epochs = (job.protocol.epochs or DEFAULT_EPOCHS) / batches.shares[0]
            job = replace(job, protocol=msgspec.structs.replace(job.protocol, epochs=epochs))
        predictor = self.train(model, job, groups, loss=batches.loss)
        job.notes["own_task_steps"] = float(batches.steps[0])
        return predictor
