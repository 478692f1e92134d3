"""Text-generating backbones that need no hub."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench import Card
from tlbench_hf.backbone import HFBackbone
from tlbench_hf.sources import SEED

if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.modeling.encoder import Encoder

STORIES_REVISION = "a8a8ca02f83e"
"""Digest of configuration, weights and tokenizer, as computed for `hf:<folder>`."""


@dataclass(frozen=True)
class RandomT5(HFBackbone):
    """A small T5 with random weights from a fixed seed, which stand in for pretrained ones.

    It serves for training from scratch where no pretrained model is available. Its tokenizer covers English and German,
    and encodes everything else as bytes.
    """

    weights_seed: int = 0
    """Seed of the weights."""

    paper = "Raffel et al. 2020, arXiv:1910.10683 (the architecture)"

    def card(self) -> Card:
        """Returns the files' metadata, with the counts of parameters that no weight file could give."""
        return dataclasses.replace(
            super().card(),
            # Counted once: there are no weights whose header could be read.
            parameters=2_726_784 if self.depth is None else None,
            decoder_parameters=2_165_376,
            licence="Apache-2.0",
            pretraining_data=f"none: random weights, drawn with seed {self.weights_seed}",
        )

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns the encoder with its seed's weights; not `pretrained`, with weights from torch's global generator."""
        if not pretrained:
            return super().load(pretrained=False)
        from tlbench_hf.loading import seeded

        with seeded(self.weights_seed):
            encoder = super().load(pretrained=False)
        # `load_encoder` names random weights uniquely; these are reproducible and may share cached activations.
        encoder.identity = f"{self.name}:seed={self.weights_seed}#blocks={len(encoder.stages) - 1}"
        return encoder

    def _content(self, folder: Path) -> str:
        return f"{SEED}{self.weights_seed}"


@dataclass(frozen=True)
class Stories(HFBackbone):
    """A Llama with 260,000 parameters trained on TinyStories; a folder below `TLBENCH_DATA`.

    Its features are weak: it exercises a real decoder where no larger one is available.
    """

    paper = "Eldan & Li 2023, arXiv:2305.07759 (the texts); Karpathy, llama2.c (the weights)"

    def card(self) -> Card:
        """Returns the files' metadata, completed by family, licence and pretraining data."""
        return dataclasses.replace(super().card(), family="llama", licence="MIT", pretraining_data="TinyStories")
