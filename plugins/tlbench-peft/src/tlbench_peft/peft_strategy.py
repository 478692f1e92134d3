"""Base classes of the strategies over peft: a configuration of peft, chosen layers, merging. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Backbone, Job, Predictor, Task, UsageError
from tlbench.training import GradientStrategy
from tlbench_peft.partial_training import ParameterEfficient, has_attention, has_linear_layers
from tlbench_peft.target_layers import chosen

if TYPE_CHECKING:
    from tlbench.training import ModelPredictor
    from tlbench_peft.adapted_model import AdaptedModel, AdaptedPredictor


@dataclass(frozen=True)
class PeftStrategy(ParameterEfficient):
    """Base class of strategies that let peft adapt the backbone: `config` says how."""

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration for the stages from `first` on."""
        raise NotImplementedError

    def adapted(self, job: Job, first: int, start: int) -> AdaptedModel:
        """Returns the model with peft's adapter in the stages from `first` on."""
        from tlbench_peft.adapted_model import AdaptedModel

        return AdaptedModel(job.encoder, job.head, start, self.config(job, first))

    def predictor(self, trained: ModelPredictor, job: Job) -> AdaptedPredictor:
        """Returns the predictor of the adapted model, which is saved as peft does."""
        from tlbench_peft.adapted_model import AdaptedPredictor

        self.finish(trained.model)
        return AdaptedPredictor(trained.model, job.precision, job.activations)

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the adapted model saved in a folder."""
        from tlbench_peft.adapted_model import AdaptedPredictor

        predictor = AdaptedPredictor.load(self.model(job), job, folder)
        self.finish(predictor.model)
        return predictor

    def finish(self, model: Any) -> None:
        """Changes the trained model before it predicts; by default nothing."""


@dataclass(frozen=True)
class LayerAdapters(PeftStrategy):
    """Base class of strategies that add weights to chosen layers of the backbone."""

    convolutions: ClassVar[bool] = False
    """Whether peft can adapt convolutions by this method."""
    targets: str = "attention"
    """The layers that are adapted: `attention` for queries and values (the layers that peft chooses for the family),
    `all` for all linear layers of the blocks (and convolutions where the method has them), or names of layers joined by
    +, such as `query+key`."""
    merge: bool = False
    """Whether the adapter is merged into the backbone's weights after training, so that predicting costs what it does
    without an adapter."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(self.targets.split("+")):
            raise UsageError(f"{self.name}[targets={self.targets}]: give attention, all, or names joined by +")

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone is not supported (it has no layers of this kind), or None."""
        if not self.convolutions and not has_linear_layers(backbone):
            return f"{self.name} adapts linear layers, and the backbone is a convolutional network"
        if self.targets == "attention" and not has_attention(backbone):
            return "targets=attention, but the backbone has no attention layers: choose targets=all"
        return super().supports(backbone, task)

    @property
    def matrices(self) -> tuple[float, float]:
        """Number of adapted matrices in a transformer block, and the sum of their sides in multiples of its width."""
        # Of all linear layers four are square, and two have one side of four times the width.
        return (6, 18) if self.targets == "all" else (2, 4)

    def layers(self, job: Job, first: int) -> list[str]:
        """Returns the paths of the layers to adapt.

        Raises:
            PluginError: There is no such layer.
        """
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

        return chosen(job.encoder, first, self.targets, KNOWN, convolutions=self.convolutions)

    def clash(self, parts: Mapping[str, GradientStrategy]) -> str | None:
        """Returns why an option makes no sense beside other parts (another backbone would be merged into), or None."""
        start = parts.get("start", self)
        if self.merge and start.changes_backbone:
            return f"merge=true saves the adapter for the backbone as it was, and {start.name} changes it"
        return super().clash(parts)

    def finish(self, model: Any) -> None:
        """Merges the adapter if the option asks for it."""
        if self.merge:
            model.adapter.merge_adapter()
