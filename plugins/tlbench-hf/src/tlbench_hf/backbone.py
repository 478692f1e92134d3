"""A transformers model as a backbone. Light: transformers is imported when weights or tokens are asked for."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench import Backbone, Card, Examples, Output, UsageError
from tlbench_hf.families import default_readout
from tlbench_hf.sources import content, fetched_folder, local_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder

READOUTS = ("mean", "first", "last", "pooler")


@dataclass(frozen=True)
class HFBackbone(Backbone):
    """A text encoder of transformers, with its tokenizer."""

    name: str
    source: str
    """A repository on the hub, an absolute folder, or "package:<module>/<folder>"."""
    revision: str | None = None
    """A commit of the repository, a digest of the folder, or the package's version."""
    depth: int | None = None
    """How many blocks are kept, from the bottom; None for all, 0 for the embeddings alone."""
    readout: str | None = None
    """"mean", "first", "last" or "pooler"; None for what the model's family declares."""
    max_length: int = 128
    """Tokens that an input is cut to, special ones included; less where the model takes less."""

    modality = "text"

    def __post_init__(self) -> None:
        if self.readout is not None and self.readout not in READOUTS:
            raise UsageError(f"{self.name}: no readout {self.readout!r}; there is {', '.join(READOUTS)}")
        if self.depth is not None and self.depth < 0:
            raise UsageError(f"{self.name}: depth is {self.depth}, but no fewer than 0 blocks can be kept")
        if self.max_length < 1:
            raise UsageError(f"{self.name}: max_length is {self.max_length}, but an input has at least 1 token")

    def card(self) -> Card:
        """Returns what configuration and weights say without being loaded; little if they are not on this machine."""
        from tlbench_hf.cards import read_card

        known = Card(source=self.source, revision=self.revision or "", on_disk=False)
        try:
            folder = local_folder(self.source, self.revision)
            readout = self._readout(folder) if folder else None
        except UsageError:
            return known
        if folder is None:
            return known
        return dataclasses.replace(
            read_card(folder, self.depth, pooler=readout == "pooler"), source=self.source, revision=known.revision
        )

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a fresh staged encoder; with random weights from torch's global generator if not `pretrained`.

        Raises:
            UsageError: The model is not here and cannot be fetched, or cannot be cut to this depth.
            PluginError: A tensor of the encoder did not load.
        """
        from tlbench_hf.loading import load_encoder

        folder = fetched_folder(self.source, self.revision)
        return load_encoder(
            folder,
            title=self.name,
            content=content(self.source, self.revision, folder) if pretrained else None,
            depth=self.depth,
            readout=self._readout(folder),
        )

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns one row of token ids for each example, of one text or two, cut at the longer one first.

        Raises:
            PluginError: Inputs that are not one or two texts, or an output that needs more than one row each.
        """
        from tlbench_hf.tokens import featurize

        return featurize(examples, output, fetched_folder(self.source, self.revision), self.max_length)

    def _readout(self, folder: Path) -> str:
        if self.readout is not None:
            return self.readout
        return default_readout(folder, json.loads((folder / "config.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class MiniLM(HFBackbone):
    """all-MiniLM-L6-v2 or its lower blocks, from files that come as a Python package.

    The mean over tokens is what it was trained with; its pooler came untrained and probes some 15 points worse.
    """

    paper = "Wang et al. 2020, arXiv:2002.10957; Reimers & Gurevych 2019, arXiv:1908.10084"

    def card(self) -> Card:
        """Returns what its files say, with the licence and the data that they do not name."""
        return dataclasses.replace(
            super().card(),
            licence="Apache-2.0",
            pretraining_data="distilled from a BERT-base, then contrastive on 1.17 billion sentence pairs",
        )
