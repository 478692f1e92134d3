"""Base class of strategies that train by gradient descent: the options of the recipe. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import UsageError
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.outputs import Classes, MultiLabel
from tlbench.contracts.task import Task
from tlbench.training.class_weighted import ClassWeighted, has_one_class

if TYPE_CHECKING:
    from tlbench.training.model import Model
    from tlbench.training.model_predictor import ModelPredictor
    from tlbench.training.parameters import Group
    from tlbench.training.steps import AfterStep, Loss


@dataclass(frozen=True)
class GradientStrategy(ClassWeighted):
    """Base class of strategies that train by AdamW with warm-up and decay of the learning rate; `train` is the recipe.

    The options have the names that transformers' `TrainingArguments` or timm's training script use for them. They are
    off by default, so that strategies are compared without them, and none of them is searched: a suite compares
    `full-finetune` with `full-finetune[label_smoothing_factor=0.1]`.
    """

    train_batch_size: int = 16
    """Rows per optimiser step. This is not `batch_size`, the number of trials that `fit_batch` takes."""
    weight_decay: float = 0.01
    warmup: float = 0.1
    """Fraction of the steps over which the learning rate rises from 0."""
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls after the warm-up; with `constant` it does not fall."""
    bias_correction: bool = True
    """Whether AdamW corrects the bias of its moments in the first steps."""
    dropout: float | None = None
    """Probability of all dropout in the backbone and the head; None for what the backbone was built with."""
    label_smoothing_factor: float = 0.0
    """Share of each target's probability that is divided over all classes."""
    mixup_alpha: float = 0.0
    """Parameter of the Beta distribution that images and their labels are mixed by; 0 for no mixup."""
    augmentation: Literal["none", "flip-shift"] = "none"
    """Random changes of the training images: flips and small shifts."""
    early_stopping_patience: int | None = None
    """Number of epochs without a better score on a tenth of the training examples, which are then not trained on, after
    which training stops and the best weights are restored; None to train to the end."""

    def __post_init__(self) -> None:
        check_recipe(self.name, self.train_batch_size, self.warmup)
        for field, value in (("dropout", self.dropout or 0.0), ("label_smoothing_factor", self.label_smoothing_factor)):
            if not 0 <= value < 1:
                raise UsageError(f"{self.name}[{field}={value:g}]: give a number from 0 to below 1")
        if not 0 <= self.mixup_alpha < float("inf"):
            raise UsageError(f"{self.name}[mixup_alpha={self.mixup_alpha:g}]: give a number of at least 0")
        if self.early_stopping_patience is not None and self.early_stopping_patience < 1:
            raise UsageError(f"{self.name}[early_stopping_patience={self.early_stopping_patience}]: at least 1 epoch")

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why an option does not apply to this backbone or task, or None."""
        output, kind = task.output, type(task.output).__name__
        if self.label_smoothing_factor and not has_one_class(output):
            return f"label_smoothing_factor needs one class per example or word; {kind} has none or several"
        if self.mixup_alpha and not isinstance(output, Classes | MultiLabel):
            return f"mixup_alpha mixes the labels of images; {kind} has no labels to mix"
        if (self.mixup_alpha or self.augmentation != "none") and task.modality != "image":
            option = "mixup_alpha" if self.mixup_alpha else "augmentation"
            return f"{option} changes images, and the inputs of this task are not images"
        return super().supports(backbone, task)

    def model(self, job: Job) -> Model:
        """Returns the model to train: the job's encoder and head."""
        from tlbench.training.model import Model

        return Model(job.encoder, job.head)

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the trained model saved in a folder."""
        from tlbench.training.model_predictor import ModelPredictor

        return ModelPredictor.load(self.model(job), job, folder)

    def train(
        self,
        model: Model,
        job: Job,
        groups: Sequence[Group] | None = None,
        *,
        loss: Loss | None = None,
        after_step: AfterStep | None = None,
    ) -> ModelPredictor:
        """Returns the model trained by this recipe, with other parameter groups, another loss or a hook if given."""
        from tlbench.training.loop import train
        from tlbench.training.recipe.augmentation import augmented
        from tlbench.training.recipe.dropout import dropout
        from tlbench.training.recipe.early_stopping import EarlyStopping, split_for_stopping
        from tlbench.training.recipe.mixup import mixup
        from tlbench.training.steps import Step

        data, stopping, hook = job.train, None, after_step
        if self.early_stopping_patience is not None:
            data, held_out = split_for_stopping(job)
            patience, size = self.early_stopping_patience, self.train_batch_size
            stopping = EarlyStopping(model, job, data, held_out, batch_size=size, patience=patience)
            hook = _both(after_step, stopping)
        if self.augmentation != "none":
            data = augmented(data)
        if self.mixup_alpha:
            loss = mixup(loss or Step.task_loss, self.mixup_alpha)
        if self.label_smoothing_factor:
            model.head.smooth_labels(self.label_smoothing_factor)
        with dropout(model, self.dropout):
            predictor = train(
                model,
                data,
                job,
                groups,
                batch_size=self.train_batch_size,
                weight_decay=self.weight_decay,
                warmup=self.warmup,
                schedule=self.lr_scheduler_type,
                bias_correction=self.bias_correction,
                class_weight=self.class_weight,
                loss=loss,
                after_step=hook,
            )
        if stopping is not None:
            stopping.restore()
            job.notes["best_step"] = stopping.best_step
        return predictor


def _both(first: AfterStep | None, second: AfterStep) -> AfterStep:
    """Returns a hook that calls both, and ends training when one of them does."""
    if first is None:
        return second
    return lambda step: any([first(step), second(step)])


def check_recipe(name: str, train_batch_size: int, warmup: float) -> None:
    """Checks the batch size and the warm-up fraction of a strategy.

    Raises:
        UsageError: The batch size is below 1, or the warm-up is not between 0 and 1.
    """
    if train_batch_size < 1:
        raise UsageError(f"{name}[train_batch_size={train_batch_size}]: a batch needs at least 1 row")
    if not 0 <= warmup <= 1:
        raise UsageError(f"{name}[warmup={warmup}]: warmup is a fraction of the steps, from 0 to 1")
