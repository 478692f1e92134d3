"""Answers beside what was asked, as metrics read them. NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tlbench.contracts.errors import Diverged
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import AnswerKind

Floats: TypeAlias = NDArray[np.float64]
Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Scored:
    """Targets and answers of N examples.

    Raises:
        ValueError: The parts differ in length.
    """

    targets: Array
    """(N,) class indices or real numbers; (N, K) labels of 0 and 1; of object dtype (N,) tuples of tags, one for each
    word, or tuples of accepted texts, of which none means that there is no answer. A sequence is made an array."""
    values: Array
    """(N,) or (N, K) the same; of object dtype (N,) a text where targets are accepted texts."""
    scores: Array | None = None
    """(N, K) probabilities, or None for a predictor that is certain of its answers."""
    positive: int = 1
    """For binary precision, recall, F1 and ROC AUC: the class that counts as found."""
    known: dict[str, Floats] = field(default_factory=dict, repr=False)
    """The statistics of texts and tags by metric, which take long to find."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", _array(self.targets))
        object.__setattr__(self, "values", _array(self.values))
        lengths = {len(part) for part in (self.targets, self.values, self.scores) if part is not None}
        if len(lengths) > 1:
            raise ValueError(f"targets, predictions and probabilities differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def kind(self) -> AnswerKind:
        """What the answers are: numbers (class indices too), labels, tags of words, or texts."""
        if self.values.dtype.kind in "biuf":
            return "numbers" if self.values.ndim == 1 else "labels"
        return "texts" if not len(self.values) or isinstance(self.values[0], str) else "tags"

    def take(self, rows: Array) -> Scored:
        """Returns the examples at these positions."""
        scores = None if self.scores is None else self.scores[rows]
        return Scored(self.targets[rows], self.values[rows], scores, self.positive)


def checked(metric: Metric, scored: Scored) -> Scored:
    """Returns the same as what the metric reads: integers for a metric of classes, floats for one of real numbers.

    A metric of both reads integers where targets and values are integers, and floats everywhere else. Probabilities are
    left out for a metric that does not say that it reads them.

    Raises:
        ValueError: There are no examples, they are of another kind, or their parts do not fit together.
        Diverged: A value or a probability is not finite.
    """
    kind = scored.kind
    if not len(scored):
        raise ValueError("there are no examples to score")
    if kind not in {output.answers for output in metric.outputs}:
        raise ValueError(f"{metric.name} does not score {kind}")
    if kind in {"numbers", "labels"}:
        if scored.targets.shape != scored.values.shape:
            raise ValueError(f"targets {scored.targets.shape} and predictions {scored.values.shape} should be alike")
        if not np.isfinite(scored.values.astype(np.float64)).all():
            raise Diverged("predictions that are not finite")
    elif kind == "tags" and any(len(t) != len(v) for t, v in zip(scored.targets, scored.values, strict=True)):
        raise ValueError("each word should have one tag")
    if scored.scores is not None:
        if metric.reads_scores:
            _check_scores(scored)
        else:
            scored = replace(scored, scores=None)
    dtype = _dtype(metric, scored)
    if dtype is None or scored.targets.dtype == scored.values.dtype == dtype:
        return scored
    return replace(scored, targets=_cast(metric, scored.targets, dtype), values=_cast(metric, scored.values, dtype))


def of_whole_numbers(metric: Metric) -> bool | None:
    """Says whether the numbers that the metric reads are whole, such as indices of classes; None where some are."""
    whole = {output.whole for output in metric.outputs if output.answers == "numbers"}
    return None if len(whole) > 1 else True in whole


def _dtype(metric: Metric, scored: Scored) -> Any:
    """Returns what numbers and labels are read as, or None for tags and texts."""
    if scored.kind not in {"numbers", "labels"}:
        return None
    whole = scored.kind == "labels" or of_whole_numbers(metric)
    if whole is None:
        # Both kinds of task are its own, and only the data say which this is.
        whole = scored.targets.dtype.kind in "biu" and scored.values.dtype.kind in "biu"
    return np.int64 if whole else np.float64


def _cast(metric: Metric, part: Array, dtype: Any) -> Array:
    made: Array = part.astype(dtype)
    if dtype == np.int64 and part.dtype.kind == "f" and not np.array_equal(made, part):
        raise ValueError(f"{metric.name} scores whole numbers, and some of these are not: {part[made != part][0]}")
    return made


def probabilities(scored: Scored) -> Floats:
    """Returns (N, K): the predictor's probabilities, or 1 for what it answers; those of classes sum to 1."""
    if scored.scores is None:
        if scored.kind == "labels":
            return scored.values.astype(np.float64)
        count = int(max(scored.targets.max(), scored.values.max())) + 1
        return np.asarray(np.eye(max(2, count))[scored.values.astype(np.int64)])
    given = scored.scores.astype(np.float64)
    if scored.kind == "labels":
        return given
    # In single precision they sum to 1 only nearly.
    total = given.sum(axis=1, keepdims=True)
    return np.asarray(given / np.where(total > 0, total, 1))


def objects(items: Sequence[Any]) -> Array:
    """Returns (N,) of object dtype, whatever the items are."""
    return np.fromiter(items, dtype=object, count=len(items))


def _array(part: Any) -> Array:
    if isinstance(part, np.ndarray):
        return part
    items = list(part)
    return objects(items) if items and isinstance(items[0], str | tuple | list) else np.asarray(items)


def _check_scores(scored: Scored) -> None:
    assert scored.scores is not None
    if not np.isfinite(scored.scores).all():
        raise Diverged("probabilities that are not finite")
    width = scored.values.shape[1] if scored.kind == "labels" else int(scored.targets.max()) + 1
    if scored.scores.ndim != 2 or scored.scores.shape[1] < width:
        raise ValueError(f"probabilities {scored.scores.shape} should be for at least {width} classes")
