"""Backbones that write texts and need no hub."""

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
"""A digest of configuration, weights and tokenizer, as `hf:<folder>` has it."""


@dataclass(frozen=True)
class RandomT5(HFBackbone):
    """An encoder-decoder that was trained on nothing: what stands for its pretrained weights is drawn by a fixed seed.

    It is there to be trained from scratch where no pretrained one is at hand. Its tokenizer covers English and German,
    and anything else byte by byte.
    """

    weights_seed: int = 0
    """Draws the weights."""

    paper = "Raffel et al. 2020, arXiv:1910.10683 (the architecture)"

    def card(self) -> Card:
        """Returns what its files say, and that nothing was learnt."""
        return dataclasses.replace(
            super().card(),
            parameters=2_726_784 if self.depth is None else None,
            decoder_parameters=2_165_376,
            licence="Apache-2.0",
            pretraining_data=f"none: random weights, drawn with seed {self.weights_seed}",
        )

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns the encoder with the weights of its seed, or others from torch's global generator."""
        if not pretrained:
            return super().load(pretrained=False)
        from tlbench_hf.loading import drawn_with

        with drawn_with(self.weights_seed):
            encoder = super().load(pretrained=False)
        encoder.identity = f"{self.name}:seed={self.weights_seed}#blocks={len(encoder.stages) - 1}"
        return encoder

    def _content(self, folder: Path) -> str:
        return f"{SEED}{self.weights_seed}"


@dataclass(frozen=True)
class Stories(HFBackbone):
    """A Llama of 260,000 parameters that tells small stories; found in a folder of data.

    Its features are weak: it is there to exercise a real decoder where no larger one is at hand.
    """

    paper = "Eldan & Li 2023, arXiv:2305.07759 (the texts); Karpathy, llama2.c (the weights)"

    def card(self) -> Card:
        """Returns what its files say, with the licence and the data that they do not name."""
        return dataclasses.replace(super().card(), family="llama", licence="MIT", pretraining_data="TinyStories")
