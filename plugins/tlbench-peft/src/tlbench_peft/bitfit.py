"""BitFit: trains the biases of a frozen backbone. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tlbench import Backbone, PluginError, Task
from tlbench_peft.partial_training import ParameterEfficient

if TYPE_CHECKING:
    from tlbench.modeling.encoder import Encoder

NO_BIASES = frozenset(
    {"cohere", "gemma", "gemma2", "gemma3_text", "llama", "mistral", "mixtral", "mt5", "olmo", "t5", "umt5"}
)
"""Families whose layers have no biases."""


@dataclass(frozen=True)
class BitFit(ParameterEfficient):
    """BitFit: trains the biases and the head."""

    name: ClassVar[str] = "bitfit"
    paper: ClassVar[str] = "Ben Zaken et al. 2022, arXiv:2106.10199"
    family: ClassVar[str] = "part of the weights"
    rates: ClassVar[tuple[float, float, float]] = (1e-4, 1e-2, 2e-3)

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a backbone is not supported (it has no biases), or None."""
        family = backbone.card().family if backbone else ""
        if family in NO_BIASES:
            return f"bitfit trains biases, and the layers of {family} have none"
        return super().supports(backbone, task)

    def size(self, width: int) -> float:
        """Returns the number of biases in a block: four of attention, five of the feed-forward part, two of norms."""
        return 11 * width

    def adapt(self, encoder: Encoder, first: int) -> None:
        """Lets the biases of the stages from `first` on be trained; if that is all blocks, those of the embeddings too.

        Raises:
            PluginError: There are none.
        """
        lowest = 0 if self.stages is None else first
        biases = [weight for name, weight in encoder.stage_parameters(lowest) if name.rpartition(".")[2] == "bias"]
        if not biases:
            raise PluginError(f"bitfit: {type(encoder.native).__name__} has no biases to train")
        for bias in biases:
            bias.requires_grad_(True)
