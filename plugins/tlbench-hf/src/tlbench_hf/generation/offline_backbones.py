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
"""Digest of the configuration, weights and tokenizer of `Stories`, computed as for `hf:<folder>`."""


@dataclass(frozen=True)
class RandomT5(HFBackbone):
    """A small T5 with random weights from a fixed seed, used in place of pretrained weights.

    It is meant for training from scratch where no pretrained model is available. Its tokenizer covers English and
    German, and encodes everything else as bytes.
    """

    weights_seed: int = 0
    """Seed of the random weights."""

    paper = "Raffel et al. 2020, arXiv:1910.10683 (the architecture)"

    def card(self) -> Card:
        """Returns the metadata in the model's files, with parameter counts that are known without a weight file."""
        return dataclasses.replace(
            super().card(),
            # Counted once: there are no weights whose header could be read.
            parameters=2_726_784 if self.depth is None else None,
            decoder_parameters=2_165_376,
            licence="Apache-2.0",
            pretraining_data=f"none: random weights, drawn with seed {self.weights_seed}",
        )

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns the encoder with weights drawn with `weights_seed`.

        If not `pretrained`, the weights come from torch's global generator instead.
        """
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
    """A Llama with 260,000 parameters trained on TinyStories, read from a folder below `TLBENCH_DATA`.

    Its features are weak; it is meant for trying out a real decoder where no larger one is available.
    """

    paper = "Eldan & Li 2023, arXiv:2305.07759 (the texts); Karpathy, llama2.c (the weights)"

    def card(self) -> Card:
        """Returns the metadata in the model's files, with family, licence and pretraining data added."""
        return dataclasses.replace(
            super().card(), family="llama", licence="MIT", pretraining_data="TinyStories", trained_on=("tinystories",)
        )
