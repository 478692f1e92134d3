"""Intermediate-task training: fine-tuning on another task first, then on the target task. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench_finetune.finetuning.base_classes import Finetuning
from tlbench_finetune.finetuning.whole import FullFinetune

from tlbench import Backbone, Job, Task, Text

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class IntermediateTask(Finetuning):
    """Full fine-tuning on an intermediate task, then, with a new head, on the task itself (STILTs).

    The intermediate task is trained on with the default learning rate of full fine-tuning, all of its training examples
    and the steps or epochs of the protocol, once for all trials.
    """

    name: ClassVar[str] = "intermediate"
    paper: ClassVar[str] = "Phang et al. 2018, arXiv:1811.01088"
    family: ClassVar[str] = "other tasks"
    changes_backbone: ClassVar[bool] = True
    task: str = ""
    """The name of the intermediate task."""

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why there is no intermediate task, or why a task is not supported, or None."""
        if not self.task:
            return "intermediate needs another task: name one, as in intermediate[task=mnli]"
        if isinstance(task.output, Text):
            return "intermediate carries the encoder over to the task, and texts are written by a decoder"
        return super().supports(backbone, task)

    def needs(self) -> tuple[str, ...]:
        """Returns the intermediate task."""
        return (f"task:{self.task}",) if self.task else ()

    def begin(self, job: Job) -> Job:
        """Returns the job whose encoder was trained on the intermediate task."""
        # The key is the same for all trials, since nothing here depends on the params.
        weights = job.once("intermediate task", lambda: self._intermediate_weights(job))
        job.encoder.load_state_dict(weights)
        return job

    def _intermediate_weights(self, job: Job) -> dict[str, Tensor]:
        """Returns a copy of the encoder's weights and buffers after training on the intermediate task."""
        from tlbench.training import other_task_job

        other, strategy = job.other(self.task), FullFinetune(train_batch_size=self.train_batch_size)
        strategy.fit(other_task_job(job, other, strategy.defaults(other.about)))
        return {name: tensor.detach().cpu().clone() for name, tensor in job.encoder.state_dict().items()}
