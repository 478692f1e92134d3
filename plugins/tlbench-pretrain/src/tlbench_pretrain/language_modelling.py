"""Language modelling before fine-tuning: on the task's own texts (TAPT) or on a corpus (DAPT). Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tlbench import Backbone, Card, Job, PluginError, Resources, Task, UsageError
from tlbench.contracts.resources import NUMBER_BYTES, POSITIONS
from tlbench_pretrain.corpus import pinned_corpus, why_no_corpus
from tlbench_pretrain.masking import MASKED
from tlbench_pretrain.pretrain_first import PretrainFirst

if TYPE_CHECKING:
    from tlbench.modeling.data import Data
    from tlbench_pretrain.pretraining import PretrainingHead

COPIES = 3
"""The values for each predicted token and each token of the vocabulary: a log-probability and two gradients."""


@dataclass(frozen=True)
class LanguageModelling(PretrainFirst):
    """Base class of strategies that continue the language modelling of a backbone before its fine-tuning.

    Encoders predict masked tokens, decoders the next token. The output layer is tied to the token embeddings; an
    encoder's has a new transform below it, as in BERT.
    """

    reads: ClassVar[Literal["text", "image"]] = "text"
    version: ClassVar[int] = 2
    pretrain_lr: float = 3e-5
    """Learning rate of the pre-training."""
    head_steps: int = 100
    """Number of steps before it, in which the new output layer of an encoder is trained alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.head_steps < 0:
            raise UsageError(f"{self.name}[head_steps={self.head_steps}]: give a number of at least 0")

    def warming_steps(self, job: Job) -> int:
        """Returns the number of steps before the pre-training: none for decoders, whose output layer is not new."""
        vocabulary = job.card().vocabulary
        return self.head_steps if vocabulary is not None and vocabulary.objective == "masked" else 0

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why a backbone (it has no blocks or no mask token), a task or an option is not supported, or None."""
        card = backbone.card() if backbone else None
        # A card knows little of a model that is not on this machine, for which the plan has another reason.
        if card is not None and card.on_disk:
            if card.vocabulary is None:
                return f"{self.name} predicts masked or next tokens, and this backbone is not known to have either"
            if card.stages == 0:
                return f"{self.name} predicts tokens from their context, and bare embeddings read none"
        return super().supports(backbone, task)

    def resources(self, backbone: Backbone | None, task: Task) -> Resources:
        """Returns the memory of the larger phase, with the probabilities of all tokens that pre-training computes."""
        needed, card = super().resources(backbone, task), backbone.card() if backbone else Card()
        size = card.vocabulary.size if card.vocabulary else None
        if card.vocabulary is None or size is None or needed.memory_bytes is None:
            return needed
        share = MASKED if card.vocabulary.objective == "masked" else 1.0
        predicted = round(share * self.pretrain_rows * (card.positions or POSITIONS))
        return replace(needed, memory_bytes=needed.memory_bytes + COPIES * predicted * size * NUMBER_BYTES)

    def pretraining_head(self, job: Job) -> PretrainingHead:
        """Returns the head that predicts tokens.

        Raises:
            PluginError: The backbone is not known to have such an objective.
        """
        from tlbench_pretrain.language_heads import LanguageHead

        vocabulary = job.card().vocabulary
        if vocabulary is None:
            raise PluginError(f"{self.name}: the backbone's card has no vocabulary, so no token can be masked")
        return LanguageHead(job.encoder, vocabulary, next_sentence=self.next_sentence)

    @property
    def next_sentence(self) -> bool:
        """Whether the head also predicts if the second of two texts follows the first."""
        return False


@dataclass(frozen=True)
class Tapt(LanguageModelling):
    """Task-adaptive pre-training: language modelling on the task's training and unlabelled texts, then fine-tuning."""

    name: ClassVar[str] = "tapt"
    paper: ClassVar[str] = "Gururangan et al. 2020, arXiv:2004.10964"


@dataclass(frozen=True)
class Dapt(LanguageModelling):
    """Domain-adaptive pre-training: language modelling on a corpus of plain text, then fine-tuning on the task."""

    name: ClassVar[str] = "dapt"
    paper: ClassVar[str] = "Gururangan et al. 2020, arXiv:2004.10964; Devlin et al. 2019, arXiv:1810.04805"
    corpus: str = ""
    """A text file, or a folder of .txt files, with a document on each line; stored as "<path>@<digest>" to pin it."""
    nsp: bool = False
    """Whether encoders also predict if the second of two sentences follows the first (next-sentence prediction)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # The digest must be part of the field, because the fields identify the results of this strategy. This is the
        # only way to set a field of a frozen dataclass.
        object.__setattr__(self, "corpus", pinned_corpus(self.corpus))

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why there is no corpus, or why a task, a backbone or an option is not supported, or None."""
        if reason := why_no_corpus(self.corpus):
            return reason
        if task.output.reads not in ("example", "words"):
            return "dapt reads plain texts, and the rows of this task have a question before each"
        if self.nsp:
            vocabulary = backbone.card().vocabulary if backbone else None
            if vocabulary is None or not vocabulary.segments or task.output.reads != "example":
                return "nsp needs a backbone that tells the first text of a row from the second, and a task of texts"
        return super().supports(backbone, task)

    @property
    def next_sentence(self) -> bool:
        """Whether next-sentence prediction is on."""
        return self.nsp

    def inputs(self, job: Job) -> Data:
        """Returns the rows of the corpus."""
        from tlbench_pretrain.corpus import corpus_examples

        longest = job.card().positions
        return job.featurize(
            corpus_examples(self.corpus, longest, words=job.task.output.reads == "words", pairs=self.nsp, seed=job.seed)
        )
