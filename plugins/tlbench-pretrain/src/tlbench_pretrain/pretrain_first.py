"""Base class of strategies that train the backbone without labels before they use the labels. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tlbench_finetune.finetuning.chosen_stages import ChosenStages

from tlbench import Backbone, Job, Resources, Task, Text, Trainable, UsageError

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench_pretrain.pretraining import Pretrained, PretrainingHead


@dataclass(frozen=True)
class PretrainFirst(ChosenStages):
    """Base class of strategies that pre-train all of the backbone on unlabelled inputs, then train on the labels.

    Pre-training runs once for each seed, with the same settings for all trials, and is charged to each as set-up. Its
    loss on inputs that are kept aside, before and after, is in the record's notes.
    """

    family: ClassVar[str] = "pre-training"
    changes_backbone: ClassVar[bool] = True
    reads: ClassVar[Literal["text", "image"]]
    """The modality of the inputs."""
    pretrain_steps: int = 300
    """Number of optimiser steps of the pre-training, which come on top of the protocol's."""
    pretrain_lr: float = 1e-4
    """Learning rate of the pre-training."""
    pretrain_batch_size: int = 32
    """Rows per step of the pre-training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pretrain_steps < 1 or self.pretrain_batch_size < 2:
            raise UsageError(f"{self.name}: pre-training takes at least 1 step and batches of at least 2 rows")
        if not 0 < self.pretrain_lr < float("inf"):
            raise UsageError(f"{self.name}[pretrain_lr={self.pretrain_lr:g}]: give a number above 0")

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task (of another modality, or with texts as answers) or an option is not supported, or None."""
        if task.modality != self.reads:
            return f"{self.name} trains on {self.reads}s first, and the inputs of this task are of another kind"
        if isinstance(task.output, Text):
            return f"{self.name} trains the encoder of its inputs first, and texts are written by a decoder"
        return super().supports(backbone, task)

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns `Trainable()`, because pre-training changes every stage."""
        return Trainable()

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the memory of the larger of the two phases' steps."""
        larger = replace(self, train_batch_size=max(self.train_batch_size, self.pretrain_rows))
        return super(PretrainFirst, larger).resources(backbone, task)

    @property
    def pretrain_rows(self) -> int:
        """The number of rows that one step of pre-training holds in memory."""
        return self.pretrain_batch_size

    def warming_steps(self, job: Job) -> int:
        """Returns the number of steps before the pre-training, in which the new head is trained alone."""
        return 0

    def inputs(self, job: Job) -> Data:
        """Returns the rows to pre-train on: the training inputs without labels, and the unlabelled ones."""
        from tlbench_pretrain.pretraining import unlabeled_inputs

        return unlabeled_inputs(job)

    def pretraining_head(self, job: Job) -> PretrainingHead:
        """Returns a new head, which computes the loss of pre-training and is discarded after it."""
        raise NotImplementedError

    def begin(self, job: Job) -> Job:
        """Returns the job whose encoder was pre-trained on unlabelled inputs."""
        # The key is the same for all trials, since nothing here depends on the params.
        result: Pretrained = job.once("pre-training", lambda: self._pretrained(job))
        job.encoder.load_state_dict(result.weights)
        job.notes.update(result.notes)
        return job

    def _pretrained(self, job: Job) -> Pretrained:
        from tlbench_pretrain.pretraining import pretrained

        return pretrained(
            self.pretraining_head(job), self.inputs(job), job,
            steps=self.pretrain_steps, lr=self.pretrain_lr, batch_size=self.pretrain_batch_size,
            head_steps=self.warming_steps(job),
        )  # fmt: skip
