"""The majority baseline: the most frequent class, the mean target, or each word's most frequent class."""

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
    """Predicts the most frequent class or the mean target; its score shows what is reached without learning.

    For token classification it predicts each word's most frequent class; its score shows what is reached without
    context.
    """

    name: ClassVar[str] = "majority"
    uses_backbone: ClassVar[bool] = False
    is_baseline: ClassVar[bool] = True

    def supports(self, backbone: Backbone | None, task: Task) -> str | None:
        """Returns the reason why a task is not supported (its output has no most frequent value), or None."""
        if isinstance(task.output, Classes | MultiLabel | Scalar | TokenClasses):
            return None
        return f"majority has no most frequent value of {type(task.output).__name__}"

    def fit(self, job: Job) -> Predictor:
        """Returns a constant predictor whose scores are class frequencies, or one that looks up each word's class."""
        job.train.meter.rows += len(job.train)
        targets = [example.target for example in job.train.examples]
        if isinstance(job.task.output, TokenClasses):
            words = [example.inputs[0] for example in job.train.examples]
            return WordByWord(job.task.output, *_most_frequent(words, targets))
        return ConstantAnswer(job.task.output, *_most_likely(job.task.output, targets, job.task.positive))

    def load(self, job: Job, folder: Path) -> Predictor:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for the job's output.
        """
        if isinstance(job.task.output, TokenClasses):
            return WordByWord.load(job.task.output, folder)
        return ConstantAnswer.load(job.task.output, folder)


@dataclass(frozen=True)
class ConstantAnswer:
    """Predicts the same value for every example."""

    output: Output
    value: Any
    scores: np.ndarray | None = None
    """(K,) class probabilities; None for numbers."""
    trainable_parameters: int = 0

    def predict(self, data: Data) -> Predictions:
        """Returns the same prediction for each example of the data."""
        import numpy as np

        count = len(data.examples)
        scores = None if self.scores is None else np.tile(self.scores, (count, 1))
        # `[None]` adds the axis of examples, for a single class as for a vector of labels.
        return Predictions(data.ids, np.repeat(np.asarray(self.value)[None], count, axis=0), scores)

    def save(self, folder: Path) -> None:
        """Writes the predicted value and its class probabilities."""
        import numpy as np

        from tlbench.modeling.predictor_files import write_predictor

        scores = None if self.scores is None else self.scores.tolist()
        settings = {"value": np.asarray(self.value).tolist(), "scores": scores}
        write_predictor(folder, type(self).__name__, self.output, settings)

    @classmethod
    def load(cls, output: Output, folder: Path) -> ConstantAnswer:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for this output.
        """
        import numpy as np

        value, scores = _read(folder, cls, output, ("value", "scores"), _is_constant)
        prediction = np.array(value, dtype=np.int64) if isinstance(output, MultiLabel) else value
        return cls(output, prediction, None if scores is None else np.array(scores, dtype=np.float64))


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

    def save(self, folder: Path) -> None:
        """Writes the class of each word."""
        from tlbench.modeling.predictor_files import write_predictor

        settings = {"known": {word: int(index) for word, index in self.known.items()}, "other": int(self.other)}
        write_predictor(folder, type(self).__name__, self.output, settings)

    @classmethod
    def load(cls, output: TokenClasses, folder: Path) -> WordByWord:
        """Returns the predictor saved in a folder.

        Raises:
            UsageError: The folder holds no such predictor for this output.
        """
        known, other = _read(folder, cls, output, ("known", "other"), _is_word_table)
        return cls(output, known, other)


def _read(
    folder: Path,
    predictor: type,
    output: Output,
    names: Sequence[str],
    is_valid: Callable[[Output, Any, Any], bool],
) -> list[Any]:
    """Returns the named values that a predictor saved in a folder, after checking them against the output.

    Raises:
        UsageError: The folder holds no such predictor, or its values do not fit the output.
    """
    from tlbench.modeling.predictor_files import read_settings

    settings = read_settings(folder, predictor.__name__, output)
    values = [settings.get(name) for name in names]
    # A saved file is input like any other: a class index out of range would fail far from here, in a metric.
    if not is_valid(output, *values):
        raise UsageError(
            f"{folder} holds no valid {predictor.__name__} for {type(output).__name__}: {settings!s:.80}; fit it again"
        )
    return values


def _is_constant(output: Output, value: Any, scores: Any) -> bool:
    count = len(getattr(output, "names", ()))
    if isinstance(output, Scalar):
        return isinstance(value, float) and scores is None
    if isinstance(output, MultiLabel):
        return _are(value, count, lambda label: _is_class(label, 2)) and _are(scores, count, _is_number)
    return _is_class(value, count) and _are(scores, count, _is_number)


def _is_word_table(output: Output, known: Any, other: Any) -> bool:
    count = len(getattr(output, "names", ()))
    return isinstance(known, dict) and all(_is_class(index, count) for index in (other, *known.values()))


def _is_class(value: object, count: int) -> bool:
    # bool is a subclass of int, and JSON's true is no class index.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


def _is_number(value: object) -> bool:
    # Not int: probabilities and means are always written with a decimal point.
    return isinstance(value, float)


def _are(values: object, count: int, is_one: Callable[[object], bool]) -> bool:
    return isinstance(values, list) and len(values) == count and all(is_one(value) for value in values)


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


def _most_likely(output: Output, targets: Sequence[Any], positive: int) -> tuple[Any, np.ndarray | None]:
    """Returns the constant prediction for these targets and the frequency of each class or label; None for numbers."""
    import numpy as np

    if isinstance(output, Scalar):
        return float(np.mean(targets)), None
    if isinstance(output, Classes):
        frequencies = np.bincount(targets, minlength=len(output.names)) / len(targets)
        # Of equally frequent classes the positive one wins: always predicting it is the constant that F1 must beat.
        tied = np.flatnonzero(frequencies == frequencies.max())
        return positive if positive in tied else int(tied[0]), frequencies
    if isinstance(output, MultiLabel):
        frequencies = np.mean(targets, axis=0)
        # Each label by its own majority, not the most frequent combination; an exact half counts as absent.
        return (frequencies > 0.5).astype(np.int64), frequencies
    raise PluginError(f"majority has no most frequent value of {type(output).__name__}")
