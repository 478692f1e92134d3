"""Consistency: the prediction of an unlabelled example is the target for an altered view of it. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import Backbone, Float, Job, Space, SpaceContext, Task, Value
from tlbench.training import Objective
from tlbench_semisup.unlabeled_training import UnlabeledTraining

if TYPE_CHECKING:
    from torch import Tensor

    from tlbench.training import Model, Step


@dataclass(frozen=True)
class Consistency(UnlabeledTraining):
    """Base class of strategies that compare a weakly and a strongly altered view of each unlabelled example.

    The weak view has the dropout of training and, with `augmentation=flip-shift`, flips and shifts, as the labelled
    images have. The strong view of a text lacks some of its words; that of an image is altered by two random
    operations and has a part cut out.
    """

    deletion: float = 0.25
    """Share of the words of a text that its strong view lacks."""

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a task, a backbone or an option is not supported, or None."""
        if not 0 < self.deletion < 1:
            return "deletion is a share of the words, above 0 and below 1"
        return super().supports(backbone, task)

    def weight(self, job: Job) -> float:
        """Returns the weight of the unlabelled loss."""
        return 1.0

    def difference(self, guess: Tensor, logits: Tensor, job: Job) -> Tensor:
        """Returns the mean loss of the strong views' logits (B, K), given those of the weak views."""
        raise NotImplementedError

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the task's loss and that of consistent predictions."""
        import torch

        from tlbench_semisup.views import views

        pairs = views(self, model, job, self.unlabeled(job))

        def loss(step: Step) -> Tensor:
            weak, strong = next(pairs)
            with torch.no_grad():
                guess = model(weak).float()
            return step.task_loss() + self.weight(job) * self.difference(guess, model(strong).float(), job)

        return Objective(loss)


@dataclass(frozen=True)
class FixMatch(Consistency):
    """FixMatch: a confident class of the weak view is the label of the strong view."""

    name: ClassVar[str] = "fixmatch"
    paper: ClassVar[str] = "Sohn et al. 2020, arXiv:2001.07685"

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates, the threshold of confidence, and the weight of the unlabelled loss."""
        return {**super().space(about), "threshold": Float(0.7, 0.99), "lambda_u": Float(0.3, 3.0, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the threshold and the weight of the paper."""
        return {**super().defaults(about), "threshold": 0.95, "lambda_u": 1.0}

    def weight(self, job: Job) -> float:
        """Returns the weight of the unlabelled loss."""
        return float(job.params["lambda_u"])

    def difference(self, guess: Tensor, logits: Tensor, job: Job) -> Tensor:
        """Returns the cross-entropy of the strong views; 0 where the weak view's probability is below the threshold."""
        from torch.nn import functional

        confidence, label = guess.softmax(-1).max(-1)
        losses = functional.cross_entropy(logits, label, reduction="none")
        return (losses * (confidence >= float(job.params["threshold"]))).mean()


@dataclass(frozen=True)
class Uda(Consistency):
    """UDA: the strong view's probabilities follow those of the weak view, sharpened by a temperature.

    Left out are the paper's annealing of labelled examples and its back-translation of texts.
    """

    name: ClassVar[str] = "uda"
    paper: ClassVar[str] = "Xie et al. 2020, arXiv:1904.12848"
    confidence: float = 0.45
    """Probability of the likeliest class below which an unlabelled example does not count: 0.45 for texts and 0.8 for
    images in the paper's experiments."""

    def space(self, about: SpaceContext) -> Space:
        """Returns the learning rates, and the temperatures between the paper's for images and for texts."""
        return {**super().space(about), "temperature": Float(0.4, 0.9)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the temperature that the paper's experiments use for images, 0.4, or for texts, 0.85."""
        is_image = about.backbone is not None and about.backbone.modality == "image"
        return {**super().defaults(about), "temperature": 0.4 if is_image else 0.85}

    def difference(self, guess: Tensor, logits: Tensor, job: Job) -> Tensor:
        """Returns the KL divergence of the strong views' probabilities from the sharpened ones of the weak views."""
        from torch.nn import functional

        target = (guess / float(job.params["temperature"])).log_softmax(-1)
        counts = guess.softmax(-1).max(-1).values >= self.confidence
        losses = functional.kl_div(logits.log_softmax(-1), target, log_target=True, reduction="none").sum(-1)
        return (losses * counts).mean()
