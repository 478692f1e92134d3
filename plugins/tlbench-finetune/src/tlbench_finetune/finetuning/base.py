"""Base class of the fine-tuning strategies: the learning rates that suit pretrained weights."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench import Space, SpaceContext, Value
from tlbench.training import GradientStrategy
from tlbench_finetune.rates import rates


@dataclass(frozen=True)
class Finetuning(GradientStrategy):
    """Base class of the strategies that train weights of the backbone itself."""

    def space(self, about: SpaceContext) -> Space:
        """Returns the search range of the learning rate."""
        return {"lr": rates(about).whole}

    def defaults(self, about: SpaceContext) -> dict[str, Value]:
        """Returns a learning rate that suits models of this width."""
        return {"lr": rates(about).default}
