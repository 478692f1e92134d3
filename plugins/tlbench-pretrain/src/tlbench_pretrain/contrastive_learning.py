"""Contrastive learning before supervised training: SimCSE for texts, SimCLR for images. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tlbench import Backbone, Job, Task, UsageError
from tlbench_pretrain.pretrain_first import PretrainFirst

if TYPE_CHECKING:
    from tlbench_pretrain.pretraining import PretrainingHead


@dataclass(frozen=True)
class ContrastiveLearning(PretrainFirst):
    """Base class of strategies that teach the backbone to tell two views of an input from views of other inputs."""

    pretrain_batch_size: int = 64
    """Rows per step of the pre-training; each is told from all others, so more rows make the task harder."""
    temperature: float = 0.5
    """Divisor of the cosines before the softmax."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.temperature < float("inf"):
            raise UsageError(f"{self.name}[temperature={self.temperature:g}]: give a number above 0")

    @property
    def pretrain_rows(self) -> int:
        """The number of views that one step holds in memory."""
        return 2 * self.pretrain_batch_size


@dataclass(frozen=True)
class SimCse(ContrastiveLearning):
    """Unsupervised SimCSE: two passes of a text with different dropout are a pair; then training on the labels."""

    name: ClassVar[str] = "simcse"
    paper: ClassVar[str] = "Gao et al. 2021, arXiv:2104.08821"
    reads: ClassVar[Literal["text", "image"]] = "text"
    pretrain_steps: int = 100
    """Number of optimiser steps of the pre-training, which come on top of the protocol's."""
    pretrain_lr: float = 3e-5
    """Learning rate of the pre-training; the paper's for BERT-base."""
    temperature: float = 0.05
    """Divisor of the cosines before the softmax; the paper's."""

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task (its output is not one for the whole text), a backbone or an option is not supported."""
        if task.output.reads != "example":
            return "simcse trains the vector of a whole text, and this task asks for its parts"
        return super().supports(backbone, task)

    def pretraining_head(self, job: Job) -> PretrainingHead:
        """Returns the head that compares the two passes."""
        from tlbench_pretrain.contrastive_heads import DropoutPairs

        return DropoutPairs(job.encoder.width, self.temperature)


@dataclass(frozen=True)
class SimClr(ContrastiveLearning):
    """SimCLR: two random views of an image are a pair; then training on the labels.

    A view is a random part of the image, enlarged to its size, perhaps mirrored, with random brightness, contrast and
    colour.
    """

    name: ClassVar[str] = "simclr"
    paper: ClassVar[str] = "Chen et al. 2020, arXiv:2002.05709"
    reads: ClassVar[Literal["text", "image"]] = "image"
    pretrain_lr: float = 3e-4
    """Learning rate of the pre-training."""
    flip: bool = True
    """Whether half of the views are mirrored; false where a mirrored image is another class, as with digits."""

    def pretraining_head(self, job: Job) -> PretrainingHead:
        """Returns the head that compares the two views."""
        from tlbench_pretrain.contrastive_heads import ImagePairs

        return ImagePairs(job.encoder.width, self.temperature, flip=self.flip)
