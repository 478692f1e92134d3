"""The baseline that stands in every table: the most frequent answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tlbench import (
    Backbone,
    Classes,
    Job,
    MultiLabel,
    Output,
    PluginError,
    Predictions,
    Predictor,
    Scalar,
    Strategy,
    Task,
    TokenClasses,
    UsageError,
)

if TYPE_CHECKING:
    import numpy as np

    from tlbench.modeling.data import Data


@dataclass(frozen=True)
class Majority(Strategy):
    """The most frequent class, or the mean: what a score is worth that takes no learning.

    Of words, each one's most frequent class in the training data: what a score is worth that takes no context.
    """

    name: ClassVar[str] = "majority"
    uses_backbone: ClassVar[bool] = False

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns why not: there must be a most frequent answer."""
        if isinstance(task.output, Classes | MultiLabel | Scalar | TokenClasses):
            return None
        return f"no most frequent answer to {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of one answer, with the frequency of each class as its probability, or of one a word."""
        job.train.meter.rows += len(job.train)
        targets = [example.target for example in job.train.examples]
        if isinstance(job.task.output, TokenClasses):
            words = [example.inputs[0] for example in job.train.examples]
            return WordByWord(job.task.output, *_most_frequent(words, targets))
        return ConstantAnswer(job.task.output, *_most_likely(job.task.output, targets, job.task.positive))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor that was saved.

        Raises:
            UsageError: The folder holds none that answers with the job's output.
        """
        if isinstance(job.task.output, TokenClasses):
            return WordByWord.load(job.task.output, folder)
        return ConstantAnswer.load(job.task.output, folder)


@dataclass(frozen=True)
class ConstantAnswer:
    """Gives every example the same answer."""

    output: Output
    value: Any
    scores: np.ndarray | None = None
    """(K,) probabilities."""
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns the answer for each example of the data."""
        import numpy as np

        count = len(data.examples)
        scores = None if self.scores is None else np.tile(self.scores, (count, 1))
        return Predictions(data.ids, np.repeat(np.asarray(self.value)[None], count, axis=0), scores)

    def save(self, folder: Path) -> None:
        """Writes the answer and its probabilities."""
        import numpy as np

        from tlbench.modeling.predictor_files import write_predictor

        scores = None if self.scores is None else self.scores.tolist()
        settings = {"value": np.asarray(self.value).tolist(), "scores": scores}
        write_predictor(folder, type(self).__name__, self.output, settings)

    @classmethod
    def load(cls, output: Output, folder: Path) -> ConstantAnswer:
        """Returns the predictor that was saved.

        Raises:
            UsageError: The folder holds none that answers with this output.
        """
        import numpy as np

        from tlbench.modeling.predictor_files import read_settings

        settings = read_settings(folder, cls.__name__, output)
        value, scores = settings.get("value"), settings.get("scores")
        count = len(getattr(output, "names", ()))
        if isinstance(output, Scalar):
            fits = isinstance(value, float) and scores is None
        elif isinstance(output, MultiLabel):
            fits = _are(value, count, lambda label: _is_class(label, 2)) and _are(scores, count, _is_number)
        else:
            fits = _is_class(value, count) and _are(scores, count, _is_number)
        if not fits:
            raise UsageError(f"{folder} holds no answer to {type(output).__name__}: {settings!s:.80}")
        answer = np.array(value, dtype=np.int64) if isinstance(output, MultiLabel) else value
        return cls(output, answer, None if scores is None else np.array(scores, dtype=np.float64))


@dataclass(frozen=True)
class WordByWord:
    """Gives every word the class that it most often had."""

    output: Output
    known: Mapping[str, int]
    other: int
    """The class of words that training never showed."""
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns a tuple of classes for each example of the data."""
        import numpy as np

        values = np.empty(len(data.examples), dtype=object)
        for i, example in enumerate(data.examples):
            values[i] = tuple(self.known.get(word, self.other) for word in example.inputs[0])
        return Predictions(data.ids, values)

    def save(self, folder: Path) -> None:
        """Writes each word's class."""
        from tlbench.modeling.predictor_files import write_predictor

        settings = {"known": {word: int(index) for word, index in self.known.items()}, "other": int(self.other)}
        write_predictor(folder, type(self).__name__, self.output, settings)

    @classmethod
    def load(cls, output: TokenClasses, folder: Path) -> WordByWord:
        """Returns the predictor that was saved.

        Raises:
            UsageError: The folder holds none that answers with this output.
        """
        from tlbench.modeling.predictor_files import read_settings

        settings = read_settings(folder, cls.__name__, output)
        known, other, count = settings.get("known"), settings.get("other"), len(output.names)
        if not isinstance(known, dict) or not all(_is_class(index, count) for index in (other, *known.values())):
            raise UsageError(f"{folder} holds no classes of words: {settings!s:.80}")
        return cls(output, known, other)


def _is_class(value: object, count: int) -> bool:
    # of Python's, True is a whole number too
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


def _is_number(value: object) -> bool:
    return isinstance(value, float)


def _are(values: object, count: int, is_one: Callable[[object], bool]) -> bool:
    return isinstance(values, list) and len(values) == count and all(is_one(value) for value in values)


def _most_frequent(sentences: Sequence[Sequence[str]], targets: Sequence[Sequence[int]]) -> tuple[dict[str, int], int]:
    """Returns each word's most frequent class, and that of all words; of equally frequent ones the lower index."""
    pairs: Counter[tuple[str, int]] = Counter()
    for words, classes in zip(sentences, targets, strict=True):
        pairs.update(zip(words, classes, strict=True))
    overall: Counter[int] = Counter()
    best: dict[str, tuple[int, int]] = {}
    for (word, index), count in pairs.items():
        overall[index] += count
        best[word] = max(best.get(word, (0, 0)), (count, -index))
    other = min(overall, key=lambda index: (-overall[index], index), default=0)
    return {word: -index for word, (_, index) in best.items()}, other


def _most_likely(output: Output, targets: Sequence[Any], positive: int) -> tuple[Any, np.ndarray | None]:
    import numpy as np

    if isinstance(output, Scalar):
        return float(np.mean(targets)), None
    if isinstance(output, Classes):
        frequencies = np.bincount(targets, minlength=len(output.names)) / len(targets)
        # Of equally frequent classes the positive one, if it is among them: always "yes" is what F1 has to beat.
        tied = np.flatnonzero(frequencies == frequencies.max())
        return positive if positive in tied else int(tied[0]), frequencies
    if isinstance(output, MultiLabel):
        frequencies = np.mean(targets, axis=0)
        return (frequencies > 0.5).astype(np.int64), frequencies
    raise PluginError(f"no most frequent answer to {type(output).__name__}")
