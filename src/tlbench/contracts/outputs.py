"""What a task asks for, and what a predictor answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Classes:
    """One of several named classes; a target is the index of its name."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class MultiLabel:
    """Any subset of several named labels; a target is a tuple of 0 and 1, one for each name."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Scalar:
    """A real number; a target is a float."""


@dataclass(frozen=True)
class TokenClasses:
    """A class for each word; a target is a tuple of indices into the names, one for each word."""

    names: tuple[str, ...]


class Answer(NamedTuple):
    """An accepted answer to a question: a stretch of its context."""

    text: str
    start: int
    """The character of the context at which it begins."""


@dataclass(frozen=True)
class Span:
    """A stretch of the context that answers a question; a target is a tuple of accepted `Answer`s.

    An empty tuple is a question that the context does not answer; a prediction then is the empty text.
    """


@dataclass(frozen=True)
class Text:
    """A text of at most `max_length` tokens; a target is a tuple of accepted texts."""

    max_length: int = 128


Output: TypeAlias = Classes | MultiLabel | Scalar | TokenClasses | Span | Text


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
