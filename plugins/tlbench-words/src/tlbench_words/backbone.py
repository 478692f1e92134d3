"""Static word vectors as backbones, and those of a text file. Light: torch and the vectors are loaded on demand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tlbench import Backbone, Card, Examples, Output, PluginError, UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles
from tlbench_words.vector_files import VERSION, Vectors, load_vectors, read_header

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder

SCHEME = "words:"
Readout = Literal["mean", "first", "last"]


class StaticVectors(Backbone):
    """Base class of static word vectors: one vector per word, regardless of context.

    Subclasses are frozen dataclasses with the fields `readout` and `max_length` that implement `vectors` and `digest`.
    """

    readout: Readout
    max_length: int

    modality = "text"

    def __post_init__(self) -> None:
        if self.max_length < 2:
            raise UsageError(
                f"{self.name}: max_length is {self.max_length}, but a pair of texts needs at least 2 words"
            )

    @property
    def digest(self) -> str:
        """Digest of the vocabulary and vectors."""
        raise NotImplementedError

    def vectors(self) -> Vectors:
        """Returns the vocabulary and vectors.

        Raises:
            UsageError: The files are missing or have changed.
            DataError: A file is malformed.
        """
        raise NotImplementedError

    def supports(self, output: Output) -> str | None:
        """Returns the reason why an output is not supported (spans and generated texts need context), or None."""
        if output.reads in {"context", "prompt"}:
            return f"word vectors ignore a word's context, so they cannot predict {type(output).__name__}"
        return None

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns the table as an encoder of one stage.

        If not `pretrained`, the vectors are random, with the same standard deviation as the pretrained ones.

        Raises:
            UsageError: The files are missing or have changed.
            DataError: A file is malformed.
        """
        from tlbench_words.word_encoder import encoder

        return encoder(self.vectors(), self.digest, self.readout, pretrained)

    def export(self, model: Exportable, output: Output, folder: Path) -> ExportedFiles:
        """Writes the table as `model.safetensors` and its words as `words.txt`, one on each line.

        Raises:
            UsageError: The model is no head on this table.
        """
        from tlbench_words.words_export import export_words

        return export_words(model, output, folder, self.vectors(), self.max_length)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns one row of word ids per example: the known words of a text, or every word of a tokenised sentence.

        Raises:
            PluginError: The output needs context, or the inputs are not texts.
        """
        from tlbench_words.splitting import Splitter
        from tlbench_words.word_encoder import featurize_sentences, featurize_texts

        if reason := self.supports(output):
            raise PluginError(reason)
        splitter = Splitter(self.vectors())
        fingerprint = f"{self.digest}:{VERSION}"
        if output.reads == "words":
            return featurize_sentences(examples, splitter, fingerprint)
        return featurize_texts(examples, splitter, self.max_length, fingerprint)


@dataclass(frozen=True)
class WordVectors(StaticVectors):
    """Static word vectors: one vector per word, regardless of context; a baseline for contextual encoders."""

    name: str
    source: str
    """Absolute path of the file of vectors."""
    revision: str
    """Digest of the file's content."""
    readout: Readout = "mean"
    max_length: int = 512
    """Maximum number of known words per text; longer texts are truncated, except in token classification."""

    paper = "Pennington et al. 2014 (GloVe); Mikolov et al. 2013, arXiv:1301.3781 (word2vec)"

    def card(self) -> Card:
        """Returns the size of the table; only its source and revision if the file is missing or has changed."""
        path = Path(self.source)
        if not path.is_file() or read_header(path).digest != self.revision:
            return Card(family="static", source=self.source, revision=self.revision, on_disk=False, pairs="separate")
        header = read_header(path)
        return Card(
            family="static",
            # One more row than words: row 0 is the unknown word.
            parameters=(header.words + 1) * header.width,
            width=header.width,
            stages=0,
            source=self.source,
            revision=self.revision,
            positions=self.max_length,
            # A mean over the words of both texts does not say which word is in which text.
            pairs="separate",
        )

    @property
    def digest(self) -> str:
        """Digest of the file's content."""
        return self.revision

    def vectors(self) -> Vectors:
        """Returns the vocabulary and vectors of the file.

        Raises:
            UsageError: The file is missing or has changed.
            DataError: A row of the file is malformed.
        """
        return load_vectors(Path(self.source), self.revision)
