"""Base class of strategies that train by gradient descent: the options of training, and the parts of a fit.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

import msgspec

from tlbench.contracts.backbone import Backbone
from tlbench.contracts.errors import UsageError
from tlbench.contracts.fits.job import Job
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.outputs import Classes, MultiLabel
from tlbench.contracts.task import Task
from tlbench.training.class_weight_option import ClassWeighted, has_one_class
from tlbench.training.recipe.objective import Objective

if TYPE_CHECKING:
    from tlbench.training.model import Model
    from tlbench.training.model_predictor import ModelPredictor
    from tlbench.training.parameters import Group
    from tlbench.training.steps import AfterStep, Loss

    Training: TypeAlias = Callable[..., ModelPredictor]

Trains: TypeAlias = Literal["all", "some stages", "few weights", "head"]
PARTS: Mapping[str, str] = {
    "start": "begin",
    "wrap": "model",
    "groups": "parameter_groups",
    "loss": "objective",
    "average": "averaged",
}
"""The parts of a fit by the name that a recipe has for them, each with the method that a strategy overrides."""


@dataclass(frozen=True)
class GradientStrategy(ClassWeighted):
    """Base class of strategies that train by AdamW with warm-up and decay of the learning rate.

    A fit has five parts, and a strategy overrides those in which it differs from full fine-tuning: the weights it
    starts from (`begin`), which of them are trained, and new ones (`model`), their learning rates
    (`parameter_groups`), the loss (`objective`), and the weights that it predicts with (`averaged`). The strategy
    `recipe` joins parts of several strategies. One that overrides `fit` itself owns it, and has no parts.

    The options have the names that transformers' `TrainingArguments` or timm's training script use for them. They are
    off by default, so that strategies are compared without them, and none of them is searched: a suite compares
    `full-finetune` with `full-finetune[label_smoothing_factor=0.1]`.
    """

    changes_backbone: ClassVar[bool] = False
    """Whether `begin` changes weights of the backbone."""
    loss_adds_up: ClassVar[bool] = False
    """Whether the losses of `objective` and `penalized` are marked by `adds_up`, so that devices can divide batches."""
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

    @property
    def parts(self) -> frozenset[str]:
        """The parts of a fit that this strategy brings, among `PARTS`; the others are those of full fine-tuning."""
        mine, base = type(self), GradientStrategy
        return frozenset(part for part, method in PARTS.items() if getattr(mine, method) is not getattr(base, method))

    @property
    def why_one_device(self) -> str | None:
        """Why a fit of this strategy runs on one device, or None if its batches can be divided among several."""
        if type(self).fit is not GradientStrategy.fit:
            return "its fit is its own"
        own_loss = "loss" in self.parts or type(self).penalized is not GradientStrategy.penalized
        if (own_loss and not self.loss_adds_up) or self.mixup_alpha:
            return "its loss may depend on all rows of a batch together"
        return None

    @property
    def trains(self) -> Trains:
        """What `model` leaves to train: all weights, some stages, a few or new weights beside frozen ones, the head.

        Override it with `model`, so that a recipe knows what goes together.
        """
        return "all"

    @property
    def rows_per_step(self) -> int:
        """The number of rows that a step holds in memory."""
        return self.train_batch_size

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why this strategy's parts make no sense beside those of others, or None.

        Args:
            parts: The strategies whose parts are joined, by the name of the part, this one among them.
        """
        return None

    def begin(self, job: Job) -> Job:
        """Returns the job whose encoder and head have the weights that training starts from: by default as they are."""
        return job

    def model(self, job: Job) -> Model:
        """Returns the model to train: the job's encoder and head."""
        from tlbench.training.model import Model

        return Model(job.encoder, job.head)

    def parameter_groups(self, model: Model, job: Job) -> Sequence[Group] | None:
        """Returns the parameter groups of the model; None for all trainable weights at `job.params["lr"]`."""
        return None

    def objective(self, model: Model, job: Job) -> Objective:
        """Returns the loss to minimise, and what it needs beside the model."""
        return Objective()

    def penalized(self, loss: Loss | None, model: Model) -> Loss | None:
        """Returns a loss with what the weights of `model` add to any; None is the task's own."""
        return loss

    def after_step(self, model: Model, job: Job) -> AfterStep | None:
        """Returns a hook that is called after each step, or None."""
        return None

    def averaged(self, model: Model, job: Job, train: Training) -> ModelPredictor:
        """Returns the model with the weights to predict with, by default those after the last step.

        Args:
            model: The model, untrained.
            job: The job.
            train: `train(job, after_step)` trains the model by all other parts, from the weights that it has.
        """
        return train(job)

    def predictor(self, trained: ModelPredictor, job: Job) -> ModelPredictor:
        """Returns the predictor of a trained model, by default as it is."""
        return trained

    def fit(self, job: Job) -> Predictor:
        """Returns the model that was trained by the parts of this strategy."""
        job = self.begin(job)
        model = self.model(job)

        def trained(job: Job, after_step: AfterStep | None = None) -> ModelPredictor:
            return self.trained(model, job, after_step)

        predictor = self.predictor(self.averaged(model, job, trained), job)
        if self.changes_backbone:
            # Stages that are frozen by now differ from the backbone's own, so they are saved too.
            predictor.note_trained(job.encoder.parameters())
        return predictor

    def trained(self, model: Model, job: Job, after_step: AfterStep | None = None) -> ModelPredictor:
        """Returns the model trained with this strategy's groups, loss and hooks, and another hook if given."""
        from tlbench.training.loop import DEFAULT_EPOCHS
        from tlbench.training.parameters import groups_with
        from tlbench.training.recipe.dropout import dropout

        groups = self.parameter_groups(model, job)
        hook = both_hooks(self.after_step(model, job), after_step)
        objective = self.objective(model, job)
        if objective.modules or objective.groups:
            groups = groups_with(objective, groups, model, float(job.params["lr"]), self.weight_decay)
        if objective.own_share < 1 and job.protocol.max_steps is None:
            # The loop counts epochs by the steps of its own data, of which this is a share.
            epochs = (job.protocol.epochs or DEFAULT_EPOCHS) / objective.own_share
            job = replace(job, protocol=msgspec.structs.replace(job.protocol, epochs=epochs))
        with dropout(model, objective.dropout):
            return self.train(model, job, groups, loss=self.penalized(objective.loss, model), after_step=hook)

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
            hook = both_hooks(after_step, stopping)
        if self.augmentation != "none":
            data = model.head.augmented(data) or augmented(data)
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


def both_hooks(first: AfterStep | None, second: AfterStep | None) -> AfterStep | None:
    """Returns a hook that calls both, and ends training when one of them does; None if there is neither."""
    if first is None or second is None:
        return first or second
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
