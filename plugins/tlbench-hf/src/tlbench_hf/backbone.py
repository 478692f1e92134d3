"""A transformers model as a backbone. Light: transformers is imported when weights or tokens are asked for."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tlbench import Backbone, Card, Examples, Output, PluginError, Text, UsageError
from tlbench_hf.families import SOURCE, default_readout, writer
from tlbench_hf.sources import POOLING, TOKENIZER, content, fetched_folder, local_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

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
    """Tokens in a row, special ones included, less where the model takes less: texts are cut to it, and what is read
    word by word stands in several rows that overlap."""
    prefix: str = ""
    """For an encoder-decoder that is to write: what it reads before each source, with a space between them."""
    prompt: str = SOURCE + "\n=>"
    """For a decoder alone that is to write: what it goes on from."""
    beams: int = 1
    """How many beginnings are pursued where a text is written; 1 is greedy."""

    modality = "text"
    imports: ClassVar[tuple[str, ...]] = ("tlbench_hf.preloaded",)

    def __post_init__(self) -> None:
        if self.readout is not None and self.readout not in READOUTS:
            raise UsageError(f"{self.name}: no readout {self.readout!r}; there is {', '.join(READOUTS)}")
        if self.depth is not None and self.depth < 0:
            raise UsageError(f"{self.name}: depth is {self.depth}, but no fewer than 0 blocks can be kept")
        if self.max_length < 1:
            raise UsageError(f"{self.name}: max_length is {self.max_length}, but an input has at least 1 token")
        if self.prompt.count(SOURCE) != 1:
            raise UsageError(f"{self.name}: the prompt {self.prompt!r} has not exactly one {SOURCE}")
        if self.beams < 1:
            raise UsageError(f"{self.name}: beams is {self.beams}, but at least 1 beginning is pursued")

    def card(self) -> Card:
        """Returns what configuration and weights say without being loaded; little if they are not on this machine."""
        from tlbench_hf.cards import read_card

        known = Card(source=self.source, revision=self.revision or "", on_disk=False)
        try:
            folder = self._local()
            readout = self._readout(folder) if folder else None
        except UsageError:
            return known
        if folder is None:
            return known
        return dataclasses.replace(
            read_card(folder, self.depth, pooler=readout == "pooler", writes=self._writer(folder) is not None),
            source=self.source,
            revision=known.revision,
            positions=self.max_length,
        )

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a fresh staged encoder; with random weights from torch's global generator if not `pretrained`.

        Raises:
            UsageError: The model is not here and cannot be fetched, or cannot be cut to this depth.
            PluginError: A tensor of the encoder did not load.
        """
        from tlbench_hf.loading import load_encoder

        folder = self._fetched()
        return load_encoder(
            folder,
            title=self.name,
            content=self._content(folder) if pretrained else None,
            depth=self.depth,
            readout=self._readout(folder),
        )

    def fetch(self) -> None:
        """Brings the files of a repository to the local hub cache; a download that broke off is taken up again.

        Raises:
            UsageError: They cannot be had, or nothing says which revision to fetch.
        """
        self._fetched()

    def supports(self, output: Output) -> str | None:
        """Returns why not: a text needs a model with a decoder. Nothing is said of one that is not on this machine."""
        if output.reads != "prompt":
            return None
        try:
            folder = self._local()
        except UsageError as error:
            return f"{self.name}: {error}"
        return None if folder is None or self._writer(folder) else self._no_writer(folder)

    def head(self, output: Output, encoder: Encoder) -> Head | None:
        """Returns a new head: for a text the pretrained decoder, or the output layer of a model that is one.

        It is as random as the encoder.

        Raises:
            PluginError: A text is wanted of a model without a decoder, or a tensor of it did not load.
        """
        if output.reads != "prompt":
            return super().head(output, encoder)
        from tlbench_hf.generation.writing_head import Writing, text_head

        folder = self._fetched()
        kind = self._writer(folder)
        if kind is None:
            raise PluginError(self._no_writer(folder))
        weights = None if encoder.identity.startswith("random") else self._content(folder)
        return text_head(kind, folder, self.name, weights, encoder, Writing(folder, output.max_length, self.beams))

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns one row of token ids for each example, of one text or two, cut at the longer one first.

        Sentences of words, and contexts with their questions, are not cut: what does not fit has more rows.

        Raises:
            PluginError: Inputs that are not what the output asks for.
        """
        from tlbench_hf.text import span_rows as spans
        from tlbench_hf.text import tokenizing as tokens
        from tlbench_hf.text import word_rows as words

        folder = self._fetched()
        if output.reads == "prompt":
            return self._texts(examples, output, folder)
        if output.reads == "words":
            return words.featurize(examples, folder, self.max_length)
        if output.reads == "context":
            return spans.featurize(examples, folder, self.max_length)
        return tokens.featurize(examples, output, folder, self.max_length)

    @property
    def _known(self) -> tuple[str, ...]:
        """The files that decide how a text is tokenised and read, if the repository has them."""
        return (TOKENIZER,) if self.readout else (TOKENIZER, POOLING)

    def _local(self) -> Path | None:
        return local_folder(self.source, self.revision, self._known)

    def _fetched(self) -> Path:
        return fetched_folder(self.source, self.revision, self._known)

    def _content(self, folder: Path) -> str:
        """Returns what names the weights; equal for equal ones."""
        return content(self.source, self.revision, folder)

    def _texts(self, examples: Examples, output: Text, folder: Path) -> Data:
        from tlbench_hf.generation.prompt_rows import Reading, featurize_texts

        reading = Reading(self._writer(folder) == "decoder", self.max_length, self.prefix, self.prompt)
        return featurize_texts(examples, output, folder, reading)

    def _readout(self, folder: Path) -> str:
        if self.readout is not None:
            return self.readout
        return default_readout(folder, _config(folder))

    def _writer(self, folder: Path) -> Literal["encoder-decoder", "decoder"] | None:
        return writer(_config(folder))

    def _no_writer(self, folder: Path) -> str:
        family = _config(folder).get("model_type", "unknown")
        return f"{self.name}: the family {family} has no decoder that writes a text, as T5, BART, GPT-2 and Llama have"


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


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config
