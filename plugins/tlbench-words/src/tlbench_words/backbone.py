"""Static word vectors as a backbone. Light: the numbers are read when weights or rows are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tlbench import Backbone, Card, Examples, Output, PluginError, UsageError
from tlbench_words.vector_files import VERSION, facts, load_vectors

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench.modeling.encoder import Encoder

SCHEME = "words:"


@dataclass(frozen=True)
class WordVectors(Backbone):
    """A vector for each word, whatever stands around it: what contextual encoders are to be better than."""

    name: str
    source: str
    """The file, an absolute path."""
    revision: str
    """A digest of its content."""
    readout: Literal["mean", "first", "last"] = "mean"
    max_length: int = 512
    """Known words that a text is cut to; the words of a sentence are never cut."""

    modality = "text"
    paper = "Pennington et al. 2014 (GloVe); Mikolov et al. 2013, arXiv:1301.3781 (word2vec)"

    def __post_init__(self) -> None:
        if self.max_length < 2:
            raise UsageError(f"{self.name}: max_length is {self.max_length}, but a pair of texts has at least 2 words")

    def card(self) -> Card:
        """Returns the size of the table; of a file that is gone or changed, only its name."""
        path = Path(self.source)
        if not path.is_file() or facts(path).digest != self.revision:
            return Card(family="static", source=self.source, revision=self.revision, on_disk=False)
        known = facts(path)
        return Card(
            family="static",
            parameters=(known.words + 1) * known.width,
            width=known.width,
            stages=0,
            source=self.source,
            revision=self.revision,
            positions=self.max_length,
        )

    def supports(self, output: Output) -> str | None:
        """Returns why not: neither an answer's place nor a text can be read off single words."""
        if output.reads in {"context", "prompt"}:
            return f"word vectors know nothing of what stands around a word, so no {type(output).__name__}"
        return None

    def load(self, *, pretrained: bool = True) -> Encoder:
        """Returns the table as an encoder of one stage; random of the same spread if not `pretrained`.

        Raises:
            UsageError: The file is gone, or changed.
            DataError: A row of it that cannot be used.
        """
        from tlbench_words.word_encoder import encoder

        return encoder(load_vectors(Path(self.source), self.revision), self.revision, self.readout, pretrained)

    def featurize(self, examples: Examples, output: Output) -> Data:
        """Returns one row for each example: the known words of a text, or every word of a sentence of words.

        Raises:
            PluginError: An output that needs more than words, or inputs that are no texts.
        """
        from tlbench_words.splitting import Splitter
        from tlbench_words.word_encoder import sentences, texts

        if reason := self.supports(output):
            raise PluginError(reason)
        splitter = Splitter(load_vectors(Path(self.source), self.revision))
        fingerprint = f"{self.revision}:{VERSION}"
        if output.reads == "words":
            return sentences(examples, splitter, fingerprint)
        return texts(examples, splitter, self.max_length, fingerprint)
