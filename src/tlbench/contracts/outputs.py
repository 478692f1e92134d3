"""The output contract: the form of a task's targets and of the predictions for them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

# For type checkers only: `tlbench plan` and `list` import this module without NumPy and torch.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tlbench.contracts.fits.class_scores import ClassReport
    from tlbench.contracts.task import Example
    from tlbench.metrics.scored import Scored
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

    Arrays: TypeAlias = tuple[NDArray[Any], NDArray[Any]]

PredictionForm = Literal["numbers", "labels", "tags", "texts"]
"""The form of one example's prediction in storage and in metrics: a number (also a class index), a row of 0 and 1
(multi-hot labels), a tuple of tags (one per word), or a text that is compared with several accepted ones."""
Reads = Literal["example", "words", "context", "prompt"]
"""The input of the head: one vector per example, per word or per position of a context, or a prompt to complete."""


@dataclass(frozen=True)
class Output:
    """A kind of output, such as one of several classes: subclass it as a frozen dataclass with the details as fields.

    A subclass declares which targets are valid, in which of the four forms of `PredictionForm` predictions come, and
    which head predicts them. `target_error` must be overridden, and `head` too unless every backbone in use has a head
    for this kind of output. Predictions are then stored, scored, resampled and ranked like those of tlbench's own.

    Example:
        from dataclasses import dataclass
        from typing import ClassVar

        from tlbench import Output

        @dataclass(frozen=True)
        class Grade(Output):
            names: tuple[str, ...]

            kind: ClassVar[str] = "grade"
            answers: ClassVar[str] = "numbers"
            whole: ClassVar[bool] = True

            @property
            def classes(self):
                return self.names

            def target_error(self, example):
                valid = isinstance(example.target, int) and 0 <= example.target < len(self.names)
                return None if valid else f"{example.target!r} is not the index of a grade"

            def class_indices(self, target):
                return {target}

            def head(self, encoder):
                from tlbench import Classes
                from tlbench.modeling.heads import PooledHead

                return PooledHead(encoder.width, Classes(self.names))
    """

    kind: ClassVar[str]
    """The name in kebab-case, used by `tlbench list tasks --kind`."""
    answers: ClassVar[PredictionForm]
    """The form of a prediction."""
    whole: ClassVar[bool] = False
    """Whether numeric predictions are integers, such as class indices."""
    reads: ClassVar[Reads] = "example"
    """The input from which a head predicts."""
    stratified_by: ClassVar[str] = ""
    """The noun for a stratum in messages, such as "decile"; empty for "rarest class"."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class or label names, in index order; empty for an output without classes."""
        return ()

    def target_error(self, example: Example) -> str | None:
        """Returns an error message if the target of an example is invalid, else None."""
        raise NotImplementedError

    def class_indices(self, target: Any) -> set[int]:
        """Returns the indices of the classes that a target contains; the conformance checks call this method."""
        return set()

    def strata(self, targets: Sequence[Any]) -> Sequence[Hashable]:
        """Returns the stratum of each target for drawing splits; by default its rarest class (Sechidis et al. 2011)."""
        present = [self.class_indices(target) for target in targets]
        counts = Counter(index for indices in present for index in indices)
        return [min(indices, key=lambda index: (counts[index], index), default=-1) for indices in present]

    def undivided_inputs(self, example: Example) -> tuple[Any, ...]:
        """Returns the inputs to compare: examples in which they are equal stay in one split. By default all inputs."""
        return example.inputs

    def arrays(self, targets: Sequence[Any], predictions: Predictions) -> Arrays | None:
        """Returns targets and predictions as arrays for the metrics, (N,) or (N, K) each, in the form of `answers`.

        The default, None, uses the standard conversion of that form, `tlbench.metrics.scored_arrays.usual_arrays`,
        which an override may call.

        Raises:
            PluginError: A prediction does not have the form of the output; the message names the example.
        """
        return None

    def head(self, encoder: Encoder) -> Head | None:
        """Returns a new head for this output on top of the encoder.

        The default, None, uses tlbench's head for outputs of this kind (`tlbench.modeling.heads`), if there is one.
        """
        return None

    def report(self, seeds: Sequence[Scored]) -> ClassReport | None:
        """Returns precision, recall and support of each class, and the confusion matrix, pooled over all seeds.

        The default, None, uses the standard report on `classes` (`tlbench.metrics.class_report`).
        """
        return None


@dataclass(frozen=True)
class Classes(Output):
    """Single-label classification; a target is the index of a class name."""

    names: tuple[str, ...]

    kind: ClassVar[str] = "classes"
    answers: ClassVar[PredictionForm] = "numbers"
    whole: ClassVar[bool] = True
    stratified_by: ClassVar[str] = "class"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names, in index order."""
        return self.names

    def target_error(self, example: Example) -> str | None:
        """Returns an error message if the target is not the index of a class, else None."""
        target = example.target
        # In Python a bool is an int, but a target of True is more likely a mistake than class 1.
        whole = isinstance(target, int) and not isinstance(target, bool)
        return None if whole and 0 <= target < len(self.names) else _invalid_target(self, target)

    def class_indices(self, target: Any) -> set[int]:
        """Returns a set with the target's class index as its only element."""
        return {target}


@dataclass(frozen=True)
class MultiLabel(Output):
    """Multi-label classification; a target is a tuple of 0 and 1, one for each label name."""

    names: tuple[str, ...]

    kind: ClassVar[str] = "multi-label"
    answers: ClassVar[PredictionForm] = "labels"
    stratified_by: ClassVar[str] = "rarest label"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names, in index order."""
        return self.names

    def target_error(self, example: Example) -> str | None:
        """Returns an error message if the target is not a tuple of 0 and 1, one for each label, else None."""
        target = example.target
        fits = isinstance(target, tuple | list) and len(target) == len(self.names) and set(target) <= {0, 1}
        return None if fits else _invalid_target(self, target)

    def class_indices(self, target: Any) -> set[int]:
        """Returns the indices of the labels that are 1."""
        return {index for index, value in enumerate(target) if value}


@dataclass(frozen=True)
class Scalar(Output):
    """Regression; a target is a finite float."""

    kind: ClassVar[str] = "scalar"
    answers: ClassVar[PredictionForm] = "numbers"
    stratified_by: ClassVar[str] = "decile"

    def target_error(self, example: Example) -> str | None:
        """Returns an error message if the target is not a finite float, else None."""
        target = example.target
        return None if isinstance(target, float) and math.isfinite(target) else _invalid_target(self, target)

    def strata(self, targets: Sequence[Any]) -> Sequence[Hashable]:
        """Returns the decile of each target, from 0 to 9; equal targets have the same decile."""
        ranks = {target: rank for rank, target in enumerate(sorted(targets))}
        return [ranks[target] * 10 // len(targets) for target in targets]


@dataclass(frozen=True)
class TokenClasses(Output):
    """Token classification; a target is a tuple of class indices, one for each word."""

    names: tuple[str, ...]

    kind: ClassVar[str] = "token-classes"
    answers: ClassVar[PredictionForm] = "tags"
    reads: ClassVar[Reads] = "words"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names, in index order."""
        return self.names

    def target_error(self, example: Example) -> str | None:
        """Returns an error message if the target is not a tuple of class indices, one for each word, else None."""
        target, words = example.target, example.inputs[0]
        if not (isinstance(target, tuple | list) and target and all(_is_index(part, self.names) for part in target)):
            return _invalid_target(self, target)
        if isinstance(words, str):
            return f"the inputs {example.inputs!r:.80} are texts; words are one tuple, as inputs=(('a', 'word'),)"
        return None if len(target) == len(words) else f"{len(words)} words and {len(target)} classes"

    def class_indices(self, target: Any) -> set[int]:
        """Returns the class indices of the words."""
        return set(target)


class Answer(NamedTuple):
    """An accepted answer to a question: a substring of its context."""

    text: str
    start: int
    """The character offset in the context at which the answer begins."""


@dataclass(frozen=True)
class Span(Output):
    """Extractive question answering: a prediction is a substring of the context.

    A target is a tuple of accepted `Answer`s, empty for a question without answer, whose prediction is the empty text.
    """

    kind: ClassVar[str] = "span"
    answers: ClassVar[PredictionForm] = "texts"
    reads: ClassVar[Reads] = "context"

    def target_error(self, example: Example) -> str | None:
        """Returns an error message if an accepted answer does not occur in the context at its `start`, else None."""
        target = example.target
        # An empty tuple passes: it is the target of an unanswerable question.
        if not isinstance(target, tuple) or not all(isinstance(answer, Answer) for answer in target):
            return _invalid_target(self, target)
        for text, start in target:
            # A negative start would slice from the end of the context instead of failing.
            at_start = example.inputs[1][start : start + len(text)] if start >= 0 else ""
            if not text or at_start != text:
                return f"the answer {text!r} should begin at {start}, where the context has {at_start!r}"
        return None

    def undivided_inputs(self, example: Example) -> tuple[Any, ...]:
        """Returns the context, so that questions about one paragraph are drawn into one split."""
        return example.inputs[1:]


@dataclass(frozen=True)
class Text(Output):
    """Text generation of at most `max_length` tokens; a target is a tuple of accepted texts."""

    max_length: int = 128

    kind: ClassVar[str] = "text"
    answers: ClassVar[PredictionForm] = "texts"
    reads: ClassVar[Reads] = "prompt"

    def target_error(self, example: Example) -> str | None:
        """Returns an error message if the target is not a tuple of texts, else None."""
        target = example.target
        fits = isinstance(target, tuple | list) and target and all(isinstance(answer, str) for answer in target)
        return None if fits else _invalid_target(self, target)


@dataclass(frozen=True)
class Predictions:
    """The predictions for N examples, in the order of the examples.

    Raises:
        ValueError: ids, values and scores differ in length.
    """

    ids: tuple[str, ...]
    values: np.ndarray
    """(N,) class indices or real numbers; (N, K) labels of 0 and 1; or (N,) of dtype object: tuples of class indices,
    one for each word, or the texts of `Span` and `Text`."""
    scores: np.ndarray | None = None
    """(N, K) probabilities of the classes or labels, if the predictor has them."""

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.values)}
        if self.scores is not None:
            lengths.add(len(self.scores))
        if len(lengths) > 1:
            raise ValueError(f"ids, values and scores of predictions differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.ids)


def _is_index(value: Any, names: Sequence[str]) -> bool:
    # Negative indices are refused too: Python would silently count them from the end of the names.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names)


def _invalid_target(output: Output, target: Any) -> str:
    return "no target" if target is None else f"{target!r} is not a valid target of {output}"
