"""Strategies that train every weight: full fine-tuning, layer-wise learning rates, and training from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tlbench import Backbone, Float, Job, Predictor, Resources, Space, SpaceContext, Task, Text, Value
from tlbench.training import GradientStrategy
from tlbench_finetune.finetuning.base_classes import Finetuning
from tlbench_finetune.rates import rates

if TYPE_CHECKING:
    from tlbench.training import Group, Model


@dataclass(frozen=True)
class FullFinetune(Finetuning):
    """Full fine-tuning: trains every weight, starting from the pretrained ones."""

    name: ClassVar[str] = "full-finetune"
    paper: ClassVar[str] = "Devlin et al. 2019, arXiv:1810.04805; Mosbach et al. 2021, arXiv:2006.04884"


@dataclass(frozen=True)
class LayerwiseDecay(Finetuning):
    """Full fine-tuning with a learning rate that decays from the head down, stage by stage."""

    name: ClassVar[str] = "layerwise-lr-decay"
    paper: ClassVar[str] = "Howard & Ruder 2018, arXiv:1801.06146"

    def space(self, about: SpaceContext) -> Space:
        """Returns the ranges of the head's learning rate and of the factor by which it decays from stage to stage."""
        return {"lr": rates(about).whole, "decay": Float(0.6, 0.99)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns twice the learning rate of full fine-tuning, since most stages get a fraction of it."""
        return {"lr": 2 * rates(about).default, "decay": 0.9}

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why its rates make no sense beside other parts (there is no pretrained stage to train), or None."""
        wrap, start = parts.get("wrap", self), parts.get("start", self)
        if wrap.trains == "head":
            return f"layerwise-lr-decay gives each stage a rate, and {wrap.name} trains none"
        if start.knows_nothing:
            return f"layerwise-lr-decay moves lower stages less because they are pretrained, and {start.name} has none"
        return super().clash(parts)

    def parameter_groups(self, model: Model, job: Job) -> Sequence[Group]:
        """Returns groups whose learning rate decays from stage to stage."""
        from tlbench.training import layer_decayed

        lr, decay = float(job.params["lr"]), float(job.params["decay"])
        # Explicit groups replace the loop's own, so they carry the weight decay too.
        return layer_decayed(model, lr, decay, self.weight_decay)


@dataclass(frozen=True)
class FromScratch(Finetuning):
    """Trains the same architecture from random weights, to measure what pre-training contributes."""

    name: ClassVar[str] = "from-scratch"
    paper: ClassVar[str] = "He et al. 2019, arXiv:1811.08883"
    family: ClassVar[str] = "baseline"
    knows_nothing: ClassVar[bool] = True
    changes_backbone: ClassVar[bool] = True

    def space(self, about: SpaceContext) -> Space:
        """Returns a higher range than for fine-tuning, since there are no pretrained weights to preserve."""
        return {"lr": Float(1e-4, 3e-3, log=True)}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a learning rate for small transformers, or a higher one for text generation and image models."""
        is_image = about.backbone is not None and about.backbone.modality == "image"
        return {"lr": 1e-3 if is_image or isinstance(about.task.output, Text) else 5e-4}

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the estimate with the random network, which is a second one."""
        needed = super().resources(backbone, task)
        return needed if backbone is None else needed.with_another_network(backbone.card())

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why random weights make no sense beside other parts (they would stay frozen), or None."""
        wrap = parts.get("wrap", self)
        if wrap.trains != "all":
            return f"{wrap.name} keeps weights of the backbone as they are, and from-scratch makes them random"
        return super().clash(parts)

    def begin(self, job: Job) -> Job:
        """Returns the job with random weights, head included."""
        # A new encoder, because the job's own is shared between fits, which expect its pretrained weights.
        encoder = job.load(pretrained=False)
        return replace(job, encoder=encoder, head=job.new_head(encoder))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the trained model saved in a folder."""
        return super().load(self.begin(job), folder)
