"""Fine-tuning by gradients: all of the encoder, its top, from random weights, from a probe, slower further down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import About, Backbone, Float, Job, PluginError, Predictor, Scalar, Space, Strategy, Task, Value
from tlbench_finetune.probe import DEFAULT_L2, L2, LinearProbe, solve

if TYPE_CHECKING:
    from tlbench.training import Group, Model

LR = Float(1e-5, 3e-4, log=True)
SMALL_WIDTH = 512
"""Encoders up to this width want a higher learning rate than those of BERT's size."""


@dataclass(frozen=True)
class _Finetuning(Strategy):
    """What the strategies below share: AdamW with warm-up and linear decay, and their parameters."""

    train_batch_size: int = 16
    """Rows in one step; `batch_size` is how many trials `fit_batch` takes."""
    weight_decay: float = 0.01
    warmup: float = 0.1
    """The share of steps over which the learning rate rises."""

    def space(self, about: About) -> Space:
        """Returns the learning rate."""
        return {"lr": LR}

    def defaults(self, about: About) -> dict[str, Value]:
        """Returns a learning rate for encoders of about this width."""
        return {"lr": default_lr(about.backbone)}

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
        )


@dataclass(frozen=True)
class FullFinetune(_Finetuning):
    """Trains every weight, starting from the pretrained ones."""

    name: ClassVar[str] = "full-finetune"
    paper: ClassVar[str] = "Devlin et al. 2019, arXiv:1810.04805; Mosbach et al. 2021, arXiv:2006.04884"

    def fit(self, job: Job) -> Predictor:
        """Returns the fine-tuned model."""
        from tlbench.training import Model

        return self._train(Model(job.encoder, job.head), job)


@dataclass(frozen=True)
class PartialFinetune(_Finetuning):
    """Trains the top stages and the head; what the frozen stages below compute is computed once."""

    name: ClassVar[str] = "partial-finetune"
    paper: ClassVar[str] = "Yosinski et al. 2014, arXiv:1411.1792; Lee et al. 2019, arXiv:1911.03090"
    stages: int = 2
    """How many of the top stages are trained."""

    def space(self, about: About) -> Space:
        """Returns the learning rate: higher than for all stages, since the frozen ones keep what they know."""
        return {"lr": Float(5e-5, 2e-3, log=True)}

    def defaults(self, about: About) -> dict[str, Value]:
        """Returns four times the learning rate of full fine-tuning."""
        return {"lr": 4 * default_lr(about.backbone)}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why not: there must be as many stages, and the embeddings below them to freeze."""
        if self.stages < 1:
            return "stages must be at least 1"
        there = backbone.card().stages if backbone else None
        if there is not None and self.stages > there:
            return f"stages={self.stages}, but the backbone has {there} above its embeddings"
        return None

    def fit(self, job: Job) -> Predictor:
        """Returns the model with its top fine-tuned."""
        from tlbench.training import Model

        start = len(job.encoder.stages) - self.stages
        if start < 1:
            raise PluginError(f"stages={self.stages}, but the encoder has {start + self.stages} with its embeddings")
        return self._train(Model(job.encoder, job.head, start=start), job)


@dataclass(frozen=True)
class FromScratch(_Finetuning):
    """Trains the same architecture from random weights: what pre-training is worth is the distance to it."""

    name: ClassVar[str] = "from-scratch"
    paper: ClassVar[str] = "He et al. 2019, arXiv:1811.08883"

    def space(self, about: About) -> Space:
        """Returns the learning rate: higher than for fine-tuning, since nothing can be forgotten."""
        return {"lr": Float(1e-4, 3e-3, log=True)}

    def defaults(self, about: About) -> dict[str, Value]:
        """Returns a learning rate that trains small transformers."""
        return {"lr": 5e-4}

    def fit(self, job: Job) -> Predictor:
        """Returns the trained model."""
        from tlbench.training import Model

        encoder = job.load(pretrained=False)
        return self._train(Model(encoder, job.new_head(encoder)), job)


@dataclass(frozen=True)
class LpFt(_Finetuning):
    """Full fine-tuning that starts from a linear probe's head, and so distorts the pretrained features less."""

    name: ClassVar[str] = "lp-ft"
    paper: ClassVar[str] = "Kumar et al. 2022, arXiv:2202.10054"

    def space(self, about: About) -> Space:
        """Returns the learning rate of the fine-tuning and the penalty of the probe."""
        return {"lr": LR, "l2": L2}

    def defaults(self, about: About) -> dict[str, Value]:
        """Returns the defaults of both halves."""
        return {"lr": default_lr(about.backbone), "l2": DEFAULT_L2}

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why not: where no probe can be put, this cannot start."""
        return LinearProbe().supports(backbone, task)

    def fit(self, job: Job) -> Predictor:
        """Returns the fine-tuned model."""
        from tlbench.training import Model

        _start_from_probe(job)
        return self._train(Model(job.encoder, job.head), job)


@dataclass(frozen=True)
class LayerwiseDecay(_Finetuning):
    """Full fine-tuning with a learning rate that decays from the head down, stage by stage."""

    name: ClassVar[str] = "layerwise-lr-decay"
    paper: ClassVar[str] = "Howard & Ruder 2018, arXiv:1801.06146"

    def space(self, about: About) -> Space:
        """Returns the head's learning rate, and what each stage has of the one above it."""
        return {"lr": LR, "decay": Float(0.6, 0.99)}

    def defaults(self, about: About) -> dict[str, Value]:
        """Returns twice the learning rate of full fine-tuning, since most stages get less of it."""
        return {"lr": 2 * default_lr(about.backbone), "decay": 0.9}

    def fit(self, job: Job) -> Predictor:
        """Returns the fine-tuned model."""
        from tlbench.training import Model, layer_decayed

        model = Model(job.encoder, job.head)
        lr, decay = float(job.params["lr"]), float(job.params["decay"])
        return self._train(model, job, layer_decayed(model, lr, decay, self.weight_decay))


def default_lr(backbone: Backbone | None) -> float:
    """Returns a learning rate for fine-tuning an encoder of this width in a few hundred steps."""
    width = backbone.card().width if backbone else None
    return 1e-4 if width is not None and width <= SMALL_WIDTH else 3e-5


def _start_from_probe(job: Job) -> None:
    """Puts the probe's weights, its standardisation folded in, into the job's head."""
    import torch

    from tlbench.modeling.heads import PooledHead

    head = job.head
    if not isinstance(head, PooledHead):
        raise PluginError(f"lp-ft needs a linear head on the readout, not {type(head).__name__}")
    (probe,) = solve(job, [float(job.params["l2"])])
    weight, bias = probe.weight, probe.bias
    with torch.no_grad():
        if isinstance(job.task.output, Scalar):
            head.fit_scale(head.targets(job.train).to(bias.device))
            weight, bias = weight / head.scale, (bias - head.mean) / head.scale
        head.linear.weight.copy_(weight)
        head.linear.bias.copy_(bias)
