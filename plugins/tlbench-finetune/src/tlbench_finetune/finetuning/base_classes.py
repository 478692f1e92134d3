"""Base classes of the fine-tuning strategies: their learning rates, and those that treat the top stages apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tlbench import Backbone, Job, PluginError, Space, SpaceContext, Task, Value
from tlbench.training import GradientStrategy
from tlbench_finetune.rates import rates


@dataclass(frozen=True)
class Finetuning(GradientStrategy):
    """Base class of the strategies that train weights of the backbone itself."""

    family: ClassVar[str] = "all weights"

    def space(self, about: SpaceContext) -> Space:
        """Returns the search range of the learning rate."""
        return {"lr": rates(about).whole}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a learning rate that suits models of this width."""
        return {"lr": rates(about).default}


@dataclass(frozen=True)
class TopStages(Finetuning):
    """Base class of the strategies that treat the top stages of the backbone unlike those below."""

    stages: int = 1
    """Number of top stages."""

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone is not supported (it has too few stages above its embeddings), or None."""
        if self.stages < 1:
            return "stages must be at least 1"
        above = backbone.card().stages if backbone else None
        if above is not None and self.stages > above:
            return f"stages={self.stages}, but the backbone has {above} above its embeddings or stem: choose fewer"
        return super().supports(backbone, task)

    def lowest(self, job: Job) -> int:
        """Returns the index of the lowest of the top stages, at least 1.

        Raises:
            PluginError: The encoder has too few stages to leave one below.
        """
        lowest = len(job.encoder.stages) - self.stages
        # Checked again: `supports` reads the card, which may not know the number of stages.
        if lowest < 1:
            raise PluginError(f"stages={self.stages}, but the encoder has {lowest + self.stages} with its embeddings")
        return lowest
