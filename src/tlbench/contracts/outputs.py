"""The output contract: what a task asks for, and what a predictor answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tlbench.contracts.record import ClassReport
    from tlbench.contracts.task import Example
    from tlbench.metrics.scored import Scored
    from tlbench.modeling.encoder import Encoder
    from tlbench.modeling.heads import Head

    Arrays: TypeAlias = tuple[NDArray[Any], NDArray[Any]]

AnswerKind = Literal["numbers", "labels", "tags", "texts"]
"""How answers are stored and given to metrics: a number of each example (class indices too), a row of 0 and 1, a tuple
of texts (a tag for each word), or a text beside several that are accepted."""
Reads = Literal["example", "words", "context", "prompt"]
"""What an answer is read from: one vector of the example, one of each word, places in a context; or it is written."""


@dataclass(frozen=True)
class Output:
    """A kind of output: subclass it as a frozen dataclass whose fields say what is asked, such as names of classes.

    It says which targets fit, how answers stand beside them, and which head is put on an encoder by default. What
    answers in one of the four shapes of `AnswerKind` is stored, scored, resampled and ranked like tlbench's own.
    """

    kind: ClassVar[str]
    """In kebab-case; what `tlbench list tasks --kind` takes."""
    answers: ClassVar[AnswerKind]
    whole: ClassVar[bool] = False
    """Whether answers that are numbers are whole ones, such as indices of classes."""
    reads: ClassVar[Reads] = "example"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that targets are indices of; empty where there are none."""
        return ()

    def misfit(self, example: Example) -> str | None:
        """Returns what is wrong with the target of an example, or None."""
        raise NotImplementedError

    def occurring(self, target: Any) -> set[int]:
        """Returns the indices of the classes that a target is an example of."""
        return set()

    def arrays(self, targets: Sequence[Any], predictions: Predictions) -> Arrays | None:
        """Returns targets and predictions as metrics read them, (N,) or (N, K) each, in one of the four shapes.

        None, the default, stands for the usual conversion of that shape, which an override may call:
        `tlbench.metrics.scored_arrays.usual_arrays`.

        Raises:
            PluginError: A prediction that is not what the output asks for; the message names the example.
        """
        return None

    def head(self, encoder: Encoder) -> Head | None:
        """Returns a new head for this output on top of the encoder.

        None, the default, stands for tlbench's own head for outputs of this kind (`tlbench.modeling.heads`), if any.
        """
        return None

    def report(self, seeds: Sequence[Scored]) -> ClassReport | None:
        """Returns precision, recall and confusions of each class over all seeds.

        None, the default, stands for the usual report on `classes` (`tlbench.metrics.class_report`).
        """
        return None


@dataclass(frozen=True)
class Classes(Output):
    """One of several named classes; a target is the index of its name."""

    names: tuple[str, ...]

    kind: ClassVar[str] = "classes"
    answers: ClassVar[AnswerKind] = "numbers"
    whole: ClassVar[bool] = True

    @property
    def classes(self) -> tuple[str, ...]:
        """The names."""
        return self.names

    def misfit(self, example: Example) -> str | None:
        """Returns what is wrong with a target that is no index of a name, or None."""
        target = example.target
        whole = isinstance(target, int) and not isinstance(target, bool)
        return None if whole and 0 <= target < len(self.names) else _no_target(self, target)

    def occurring(self, target: Any) -> set[int]:
        """Returns the index itself."""
        return {target}


@dataclass(frozen=True)
class MultiLabel(Output):
    """Any subset of several named labels; a target is a tuple of 0 and 1, one for each name."""

    names: tuple[str, ...]

    kind: ClassVar[str] = "multi-label"
    answers: ClassVar[AnswerKind] = "labels"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names."""
        return self.names

    def misfit(self, example: Example) -> str | None:
        """Returns what is wrong with a target that is no tuple of 0 and 1, one for each name, or None."""
        target = example.target
        fits = isinstance(target, tuple | list) and len(target) == len(self.names) and set(target) <= {0, 1}
        return None if fits else _no_target(self, target)

    def occurring(self, target: Any) -> set[int]:
        """Returns the indices of the labels that are 1."""
        return {index for index, value in enumerate(target) if value}


@dataclass(frozen=True)
class Scalar(Output):
    """A real number; a target is a float."""

    kind: ClassVar[str] = "scalar"
    answers: ClassVar[AnswerKind] = "numbers"

    def misfit(self, example: Example) -> str | None:
        """Returns what is wrong with a target that is no finite float, or None."""
        target = example.target
        return None if isinstance(target, float) and math.isfinite(target) else _no_target(self, target)


@dataclass(frozen=True)
class TokenClasses(Output):
    """A class for each word; a target is a tuple of indices into the names, one for each word."""

    names: tuple[str, ...]

    kind: ClassVar[str] = "token-classes"
    answers: ClassVar[AnswerKind] = "tags"
    reads: ClassVar[Reads] = "words"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names."""
        return self.names

    def misfit(self, example: Example) -> str | None:
        """Returns what is wrong with a target that is no tuple of indices, one for each word, or None."""
        target, words = example.target, example.inputs[0]
        fits = isinstance(target, tuple | list) and target and all(_is_index(part, self.names) for part in target)
        if not fits:
            return _no_target(self, target)
        return None if len(target) == len(words) else f"{len(words)} words and {len(target)} classes"

    def occurring(self, target: Any) -> set[int]:
        """Returns the indices of the words' classes."""
        return set(target)


class Answer(NamedTuple):
    """An accepted answer to a question: a stretch of its context."""

    text: str
    start: int
    """The character of the context at which it begins."""


@dataclass(frozen=True)
class Span(Output):
    """A stretch of the context that answers a question; a target is a tuple of accepted `Answer`s.

    An empty tuple is a question that the context does not answer; a prediction then is the empty text.
    """

    kind: ClassVar[str] = "span"
    answers: ClassVar[AnswerKind] = "texts"
    reads: ClassVar[Reads] = "context"

    def misfit(self, example: Example) -> str | None:
        """Returns what is wrong with a target whose answers do not stand where they say, or None."""
        target = example.target
        if not isinstance(target, tuple) or not all(isinstance(answer, Answer) for answer in target):
            return _no_target(self, target)
        for text, start in target:
            found = example.inputs[1][start : start + len(text)] if start >= 0 else ""
            if not text or found != text:
                return f"the answer {text!r} is said to stand at {start}, where the context has {found!r}"
        return None


@dataclass(frozen=True)
class Text(Output):
    """A text of at most `max_length` tokens; a target is a tuple of accepted texts."""

    max_length: int = 128

    kind: ClassVar[str] = "text"
    answers: ClassVar[AnswerKind] = "texts"
    reads: ClassVar[Reads] = "prompt"

    def misfit(self, example: Example) -> str | None:
        """Returns what is wrong with a target that is no tuple of texts, or None."""
        target = example.target
        fits = isinstance(target, tuple | list) and target and all(isinstance(answer, str) for answer in target)
        return None if fits else _no_target(self, target)


@dataclass(frozen=True)
class Predictions:
    """What a predictor says of each example, in the order of the examples.

    Raises:
        ValueError: The three parts differ in length.
    """

    ids: tuple[str, ...]
    values: np.ndarray
    """(N,) class indices or real numbers; (N, K) labels of 0 and 1; of object dtype (N,) for tuples of class indices,
    one for each word, and for the texts that `Span` and `Text` ask for."""
    scores: np.ndarray | None = None
    """(N, K) probabilities over the names of the output, where the predictor has them."""

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.values)}
        if self.scores is not None:
            lengths.add(len(self.scores))
        if len(lengths) > 1:
            raise ValueError(f"predictions of different lengths: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.ids)


def _is_index(value: Any, names: Sequence[str]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names)


def _no_target(output: Output, target: Any) -> str:
    return "no target" if target is None else f"{target!r} is no target of {output}"
