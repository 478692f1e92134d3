"""The lookup baseline of token classification: each word's most frequent class in the training split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import Backbone, Job, Output, PluginError, Predictions, Predictor, Strategy, Task, TokenClasses
from tlbench.contracts.exports.forms import Program
from tlbench_finetune.baselines.saved_values import is_class, read_values
from tlbench_finetune.exported_baselines import baseline_program, no_adapter

if TYPE_CHECKING:
    from tlbench.modeling.data import Data


@dataclass(frozen=True)
class WordMajority(Strategy):
    """Predicts for every word its most frequent class in train, to show what score is possible without context.

    Words that are not in train get the most frequent class of all words.
    """

    name: ClassVar[str] = "word-majority"
    paper: ClassVar[str] = "Charniak et al. 1993, Equations for part-of-speech tagging, AAAI"
    family: ClassVar[str] = "baseline"
    uses_backbone: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = True
    knows_nothing: ClassVar[bool] = True

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (it has no class for each word), or None."""
        if isinstance(task.output, TokenClasses):
            return None
        return f"word-majority predicts a class for each word, not {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor that looks up each word's class.

        Raises:
            PluginError: The output has no class for each word.
        """
        if not isinstance(job.task.output, TokenClasses):
            raise PluginError(f"word-majority predicts a class for each word, not {type(job.task.output).__name__}")
        job.train.meter.rows += len(job.train)
        words = [example.inputs[0] for example in job.train.examples]
        return WordByWord(job.task.output, *_most_frequent(words, [example.target for example in job.train.examples]))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for the job's output.
        """
        return WordByWord.load(job.task.output, folder)


@dataclass(frozen=True)
class WordByWord:
    """Predicts for every word the class that it most often had in training, regardless of context."""

    output: Output
    known: Mapping[str, int]
    other: int
    """Class predicted for words that are not in the training split."""
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns a tuple of class indices, one per word, for each example of the data."""
        import numpy as np

        # Sentences differ in length, so np.array would make a ragged array or fail.
        values = np.empty(len(data.examples), dtype=object)
        for i, example in enumerate(data.examples):
            values[i] = tuple(self.known.get(word, self.other) for word in example.inputs[0])
        return Predictions(data.ids, values)

    def exportable(self, *, keep_adapter: bool = False) -> Program:
        """Returns a script that looks words up."""
        no_adapter(keep_adapter)
        known = {word: int(index) for word, index in self.known.items()}
        return baseline_program("words", {"known": known, "other": int(self.other)})

    def save(self, folder: Path) -> None:
        """Writes the class of each word."""
        from tlbench.modeling.predictor_files import write_predictor

        settings = {"known": {word: int(index) for word, index in self.known.items()}, "other": int(self.other)}
        write_predictor(folder, type(self).__name__, self.output, settings)

    @classmethod
    def load(cls, output: Output, folder: Path) -> WordByWord:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for this output.
        """
        known, other = read_values(folder, cls, output, ("known", "other"), _is_word_table)
        return cls(output, known, other)


def _is_word_table(output: Output, known: Any, other: Any) -> bool:
    count = len(output.classes)
    return isinstance(known, dict) and all(is_class(index, count) for index in (other, *known.values()))


def _most_frequent(sentences: Sequence[Sequence[str]], targets: Sequence[Sequence[int]]) -> tuple[dict[str, int], int]:
    """Returns each word's most frequent class and the most frequent class of all words; ties go to the lower index."""
    pairs: Counter[tuple[str, int]] = Counter()
    for words, classes in zip(sentences, targets, strict=True):
        pairs.update(zip(words, classes, strict=True))
    overall: Counter[int] = Counter()
    best: dict[str, tuple[int, int]] = {}
    for (word, index), count in pairs.items():
        overall[index] += count
        # The index is negated so that `max` prefers the lower index among equal counts.
        best[word] = max(best.get(word, (0, 0)), (count, -index))
    # A training split without words has no most frequent class; 0 is as good as any.
    other = min(overall, key=lambda index: (-overall[index], index), default=0)
    return {word: -index for word, (_, index) in best.items()}, other
