"""Virtual tokens: prompt tuning and prefix tuning. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from tlbench import Backbone, Card, Job, PluginError, Task, Text, UsageError
from tlbench_peft.peft_strategy import PeftStrategy

PREFIX_FAMILIES = frozenset(
    {"bert", "bloom", "electra", "gemma", "gpt2", "gpt_neox", "llama", "mistral", "opt", "phi", "qwen2", "qwen3"}
    | {"roberta", "xlm-roberta"}
)
"""Families whose attention reads keys and values that are given to it. Others ignore them, or fail."""
RELATIVE = frozenset(
    {"bloom", "gemma", "gpt_neox", "llama", "mistral", "modernbert", "mt5", "phi", "qwen2", "qwen3", "t5", "umt5"}
)
"""Families without a table of positions, whose input virtual tokens cannot make too long."""


@dataclass(frozen=True)
class VirtualTokens(PeftStrategy):
    """Base class of strategies that put trained vectors before the tokens of each text."""

    rates: ClassVar[tuple[float, float, float]] = (1e-3, 1e-1, 3e-2)
    tokens: int = 20
    """Number of virtual tokens."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tokens < 1:
            raise UsageError(f"{self.name}[tokens={self.tokens}]: at least 1 virtual token")

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone or task is not supported, or None."""
        if backbone is not None and backbone.modality != "text":
            return f"{self.name} puts virtual tokens before the tokens of a text, and the backbone reads none"
        if self.stages is not None:
            return f"{self.name} begins below the lowest stage: leave stages out"
        if isinstance(task.output, Text):
            return f"{self.name} is not available for generated texts: take lora"
        card = backbone.card() if backbone else Card()
        room = (card.most_positions or 0) - (card.positions or 0)
        if card.most_positions and card.positions and room < self.tokens and card.family not in RELATIVE:
            return (
                f"tokens={self.tokens}, but the backbone has {room} positions beyond its max_length: lower one of them"
            )
        return super().supports(backbone, task)

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block."""
        return 0


@dataclass(frozen=True)
class PromptTuning(VirtualTokens):
    """Prompt tuning: trains the embeddings of virtual tokens that are put before each text."""

    name: ClassVar[str] = "prompt-tuning"
    paper: ClassVar[str] = "Lester et al. 2021, arXiv:2104.08691"

    def trainable(self, backbone: Backbone) -> Any:
        """Returns the number of trained weights; gradients pass through all blocks."""
        from dataclasses import replace

        width = backbone.card().width or 0
        return replace(super().trainable(backbone), parameters=self.tokens * width)

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration.

        Raises:
            PluginError: The encoder has no table of token embeddings.
        """
        from peft import PromptTuningConfig

        table = getattr(getattr(job.encoder.native, "get_input_embeddings", lambda: None)(), "weight", None)
        if table is None:
            raise PluginError(f"{self.name}: {type(job.encoder.native).__name__} has no embeddings of tokens")
        # Given explicitly, since peft does not find these numbers in the configuration of every family; only the
        # number of dimensions matters to a prompt.
        return PromptTuningConfig(
            task_type="FEATURE_EXTRACTION",
            num_virtual_tokens=self.tokens,
            token_dim=table.shape[1],
            num_layers=len(job.encoder.stages) - 1,
            num_attention_heads=1,
        )


@dataclass(frozen=True)
class PrefixTuning(VirtualTokens):
    """Prefix tuning: trains keys and values that every attention layer reads before those of the text.

    They are trained directly, as in P-Tuning v2 (Liu et al. 2022, arXiv:2110.07602).
    """

    name: ClassVar[str] = "prefix-tuning"
    paper: ClassVar[str] = "Li & Liang 2021, arXiv:2101.00190"

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone or task is not supported, or None."""
        family = backbone.card().family if backbone else ""
        if backbone is not None and backbone.modality == "text" and family and family not in PREFIX_FAMILIES:
            return f"{self.name} gives keys and values to every attention layer, and {family} does not read them"
        return super().supports(backbone, task)

    def size(self, width: int) -> float:
        """Returns the number of trained weights in a block: a key and a value for each virtual token."""
        return 2 * self.tokens * width

    def config(self, job: Job, first: int) -> Any:
        """Returns peft's configuration."""
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=self.tokens)
