"""Strategies that train by gradient descent: full, partial, head-only, from scratch, LP-FT and layer-wise decay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tlbench import (
    Backbone,
    Classes,
    Float,
    Job,
    MultiLabel,
    PluginError,
    Predictor,
    Scalar,
    Space,
    SpaceContext,
    Task,
    Text,
    Trainable,
    Value,
)
from tlbench_finetune.class_weight import ClassWeighted
from tlbench_finetune.probe import DEFAULT_L2, L2, solve
from tlbench_finetune.rates import check_recipe, rates

if TYPE_CHECKING:
    from tlbench.training import ClassWeight, Group, Model


@dataclass(frozen=True)
class _Finetuning(ClassWeighted):
    """Base class of the fine-tuning strategies: AdamW with warm-up and linear decay of the learning rate."""

    train_batch_size: int = 16
    """Rows per optimiser step. This is not `batch_size`, the number of trials that `fit_batch` takes."""
    weight_decay: float = 0.01
    warmup: float = 0.1
    """Fraction of the steps over which the learning rate rises from 0."""

    def __post_init__(self) -> None:
        check_recipe(self.name, self.train_batch_size, self.warmup)

    def space(self, about: SpaceContext) -> Space:
        """Returns the search range of the learning rate."""
        return {"lr": rates(about).whole}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a learning rate that suits models of this width."""
        return {"lr": rates(about).default}

    def model(self, job: Job) -> Model:
        """Returns the model to train: the job's encoder and head."""
        from tlbench.training import Model

        return Model(job.encoder, job.head)

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the trained model saved in a folder."""
        from tlbench.training import ModelPredictor

        return ModelPredictor.load(self.model(job), job, folder)

    def _train(self, model: Model, job: Job, groups: Sequence[Group] | None = None) -> Predictor:
        from tlbench.training import train

        return train(
            model,
            job.train,
            job,
            groups,
            batch_size=self.train_batch_size,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            class_weight=self.class_weight,
        )


@dataclass(frozen=True)
class FullFinetune(_Finetuning):
    """Full fine-tuning: trains every weight, starting from the pretrained ones."""

    name: ClassVar[str] = "full-finetune"
    paper: ClassVar[str] = "Devlin et al. 2019, arXiv:1810.04805; Mosbach et al. 2021, arXiv:2006.04884"

    def fit(self, job: Job) -> Predictor:
        """Returns the fine-tuned model."""
        return self._train(self.model(job), job)


@dataclass(frozen=True)
class PartialFinetune(_Finetuning):
    """Trains the top stages and the head; the frozen stages below are computed once and cached."""

    name: ClassVar[str] = "partial-finetune"
    paper: ClassVar[str] = "Yosinski et al. 2014, arXiv:1411.1792; Lee et al. 2019, arXiv:1911.03090"
    stages: int = 2
    """Number of top stages to train."""

    def space(self, about: SpaceContext) -> Space:
        """Returns a higher range than for full fine-tuning, since frozen stages keep their pretrained weights."""
        return {"lr": rates(about).top}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns four times the learning rate of full fine-tuning."""
        return {"lr": 4 * rates(about).default}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone is not supported (it has too few stages above its embeddings), or None."""
        if self.stages < 1:
            return "stages must be at least 1"
        available = backbone.card().stages if backbone else None
        if available is not None and self.stages > available:
            return f"stages={self.stages}, but the backbone has {available} above its embeddings or stem: choose fewer"
        return super().supports(backbone, task)

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns the number of trained top stages."""
        return Trainable(self.stages)

    def model(self, job: Job) -> Model:
        """Returns the model with everything frozen but the top stages and the head.

        Raises:
            PluginError: The encoder has too few stages to leave one frozen.
        """
        from tlbench.training import Model

        start = len(job.encoder.stages) - self.stages
        # Checked again: `supports` reads the card, which may not know the number of stages.
        if start < 1:
            raise PluginError(f"stages={self.stages}, but the encoder has {start + self.stages} with its embeddings")
        return Model(job.encoder, job.head, start=start)

    def fit(self, job: Job) -> Predictor:
        """Returns the model with its top stages fine-tuned."""
        return self._train(self.model(job), job)


@dataclass(frozen=True)
class HeadOnly(_Finetuning):
    """Trains a new head by gradient descent on the frozen encoder's cached output.

    Works for every kind of output; where the head is a pretrained decoder, the decoder is trained.
    """

    name: ClassVar[str] = "head-only"
    paper: ClassVar[str] = "Donahue et al. 2014, arXiv:1310.1531; Yosinski et al. 2014, arXiv:1411.1792"

    def space(self, about: SpaceContext) -> Space:
        """Returns a high learning-rate range for a new layer, or the fine-tuning range for a pretrained decoder."""
        return {"lr": rates(about).whole if isinstance(about.task.output, Text) else Float(3e-4, 3e-2, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a learning rate at which a new linear layer converges within about a hundred steps."""
        return {"lr": rates(about).default if isinstance(about.task.output, Text) else 5e-3}

    def trainable(self, backbone: Backbone) -> Trainable:
        """Returns `Trainable(0)`, because no encoder stage is trained."""
        return Trainable(0)

    def model(self, job: Job) -> Model:
        """Returns the model with everything frozen but the head.

        Raises:
            PluginError: The head has no weights of its own.
        """
        from tlbench.training import Model

        # A decoder whose output layer is tied to the input embeddings leaves nothing outside the encoder to train.
        if next(job.head.parameters(), None) is None:
            raise PluginError(
                "the head has no weight of its own to train: its output layer is the encoder's; use full-finetune"
            )
        return Model(job.encoder, job.head, start=len(job.encoder.stages))

    def fit(self, job: Job) -> Predictor:
        """Returns the model with its head trained."""
        return self._train(self.model(job), job)


@dataclass(frozen=True)
class FromScratch(_Finetuning):
    """Trains the same architecture from random weights, to measure what pre-training contributes."""

    name: ClassVar[str] = "from-scratch"
    paper: ClassVar[str] = "He et al. 2019, arXiv:1811.08883"
    knows_nothing: ClassVar[bool] = True

    def space(self, about: SpaceContext) -> Space:
        """Returns a higher range than for fine-tuning, since there are no pretrained weights to preserve."""
        return {"lr": Float(1e-4, 3e-3, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a learning rate for small transformers, or a higher one for text generation and image models."""
        is_image = about.backbone is not None and about.backbone.modality == "image"
        return {"lr": 1e-3 if is_image or isinstance(about.task.output, Text) else 5e-4}

    def model(self, job: Job) -> Model:
        """Returns the model with random weights, head included."""
        from tlbench.training import Model

        # A new encoder, because the job's own is shared between fits, which expect its pretrained weights.
        encoder = job.load(pretrained=False)
        return Model(encoder, job.new_head(encoder))

    def fit(self, job: Job) -> Predictor:
        """Returns the trained model."""
        return self._train(self.model(job), job)


@dataclass(frozen=True)
class LpFt(_Finetuning):
    """Linear probing, then full fine-tuning that starts from the probe's head, to distort pretrained features less."""

    name: ClassVar[str] = "lp-ft"
    paper: ClassVar[str] = "Kumar et al. 2022, arXiv:2202.10054"

    def space(self, about: SpaceContext) -> Space:
        """Returns the ranges of the fine-tuning learning rate and of the probe's L2 penalty."""
        return {"lr": rates(about).whole, "l2": L2}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns the default learning rate and the default penalty of the probe."""
        return {"lr": rates(about).default, "l2": DEFAULT_L2}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its head is not one linear layer on the readout), or None."""
        # Token and span heads are linear too, but have a vector per token; a probe of the readout does not fit them.
        if isinstance(task.output, Classes | MultiLabel | Scalar):
            return super().supports(backbone, task)
        return f"lp-ft starts from a linear probe of the readout; {type(task.output).__name__} has another head"

    def fit(self, job: Job) -> Predictor:
        """Returns the model fine-tuned from a probe."""
        _start_from_probe(job, self.class_weight)
        return self._train(self.model(job), job)


@dataclass(frozen=True)
class LayerwiseDecay(_Finetuning):
    """Full fine-tuning with a learning rate that decays from the head down, stage by stage."""

    name: ClassVar[str] = "layerwise-lr-decay"
    paper: ClassVar[str] = "Howard & Ruder 2018, arXiv:1801.06146"

    def space(self, about: SpaceContext) -> Space:
        """Returns the ranges of the head's learning rate and of the factor by which it decays from stage to stage."""
        return {"lr": rates(about).whole, "decay": Float(0.6, 0.99)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns twice the learning rate of full fine-tuning, since most stages get a fraction of it."""
        return {"lr": 2 * rates(about).default, "decay": 0.9}

    def fit(self, job: Job) -> Predictor:
        """Returns the fine-tuned model."""
        from tlbench.training import layer_decayed

        model = self.model(job)
        lr, decay = float(job.params["lr"]), float(job.params["decay"])
        # Explicit groups replace the loop's own, so they carry the weight decay too.
        return self._train(model, job, layer_decayed(model, lr, decay, self.weight_decay))


def _start_from_probe(job: Job, class_weight: ClassWeight | None = None) -> None:
    """Copies the weights of a linear probe, with its feature standardisation folded in, into the job's head."""
    import torch

    from tlbench.modeling.heads import PooledHead

    head = job.head
    if not isinstance(head, PooledHead):
        raise PluginError(f"lp-ft needs a PooledHead (one linear layer on the readout), not {type(head).__name__}")
    # Solved to convergence instead of trained, so that fine-tuning starts from the optimum at any learning rate.
    (probe,) = solve(job, [float(job.params["l2"])], class_weight)
    weight, bias = probe.weight, probe.bias
    with torch.no_grad():
        if isinstance(job.task.output, Scalar):
            # The head learns standardised targets and rescales its output itself; the probe's map is in task units.
            head.prepare(job.train)
            weight, bias = weight / head.scale, (bias - head.mean) / head.scale
        head.linear.weight.copy_(weight)
        head.linear.bias.copy_(bias)
