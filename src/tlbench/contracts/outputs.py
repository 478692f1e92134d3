"""The output contract: the form of a task's targets and of the predictions for them."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tlbench.contracts.kinds.output_kind import Output, PredictionForm, Predictions, Reads, Region

if TYPE_CHECKING:
    from tlbench.contracts.task import Example

__all__ = [
    "Answer",
    "Classes",
    "MultiLabel",
    "Output",
    "PredictionForm",
    "Predictions",
    "Reads",
    "Region",
    "Scalar",
    "Span",
    "Text",
    "TokenClasses",
]


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


def _is_index(value: Any, names: Sequence[str]) -> bool:
    # Negative indices are refused too: Python would silently count them from the end of the names.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names)


def _invalid_target(output: Output, target: Any) -> str:
    return "no target" if target is None else f"{target!r} is not a valid target of {output}"
