"""Targets and predictions as NumPy arrays, the input of every metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tlbench.contracts.errors import Diverged
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import PredictionForm

Floats: TypeAlias = NDArray[np.float64]
Array: TypeAlias = NDArray[Any]
MOST_CLASSES = 2**20
"""Maximum number of classes of a task."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Targets and predictions of N examples.

    Raises:
        ValueError: Targets, predictions and probabilities differ in length.
    """

    targets: Array
    """(N,) class indices or real numbers; (N, K) labels of 0 and 1; or (N,) of dtype object: tuples of tags, one for
    each word, or tuples of accepted texts, empty for an unanswerable question. Sequences are converted to arrays."""
    values: Array
    """The predictions, (N,) or (N, K), in the form of the targets, or (N,) texts if targets are accepted texts."""
    scores: Array | None = None
    """(N, K) probabilities, or None for a predictor without them, which counts as certain of its predictions."""
    positive: int = 1
    """The positive class of binary precision, recall, F1 and ROC AUC."""
    known: dict[str, Floats] = field(default_factory=dict, repr=False)
    """The cached statistics of texts and tags, by name of the metric."""

    def __post_init__(self) -> None:
        # A frozen dataclass refuses ordinary assignment, even to itself.
        object.__setattr__(self, "targets", _as_array(self.targets))
        object.__setattr__(self, "values", _as_array(self.values))
        lengths = {len(part) for part in (self.targets, self.values, self.scores) if part is not None}
        if len(lengths) > 1:
            raise ValueError(f"targets, predictions and probabilities differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def kind(self) -> PredictionForm:
        """The form of the predictions: numbers (also class indices), labels, tags of words, or texts."""
        if self.values.dtype.kind in "biuf":
            return "numbers" if self.values.ndim == 1 else "labels"
        return "texts" if not len(self.values) or isinstance(self.values[0], str) else "tags"

    def take(self, rows: Array) -> Scored:
        """Returns the examples at these indices; the cache is not copied, as its rows belong to the whole sample."""
        scores = None if self.scores is None else self.scores[rows]
        return Scored(self.targets[rows], self.values[rows], scores, self.positive)


def checked(metric: Metric, scored: Scored) -> Scored:
    """Returns validated targets and predictions in the dtype of the metric: int64 for classes, fp64 for real numbers.

    A metric that scores both gets integers if targets and predictions are integers, and floats otherwise. Probabilities
    are removed unless the metric declares that it reads them.

    Raises:
        ValueError: There are no examples, the metric does not score their form, their shapes do not match, or a class
            is negative or too large.
        Diverged: A prediction or a probability is not finite.
    """
    kind = scored.kind
    if not len(scored):
        raise ValueError("there are no examples to score")
    if kind not in {output.answers for output in metric.outputs}:
        raise ValueError(f"{metric.name} does not score {kind}")
    if kind in {"numbers", "labels"}:
        if scored.targets.shape != scored.values.shape:
            raise ValueError(
                f"targets {scored.targets.shape} and predictions {scored.values.shape} should have the same shape"
            )
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
    if dtype is not None and not scored.targets.dtype == scored.values.dtype == dtype:
        scored = replace(
            scored, targets=_cast(metric, scored.targets, dtype), values=_cast(metric, scored.values, dtype)
        )
    if dtype == np.int64:
        for part in (scored.targets, scored.values):
            # Many metrics count in a table of all classes, which a file from elsewhere could make of any size.
            if (largest := int(part.max(initial=0))) > MOST_CLASSES or int(part.min(initial=0)) < 0:
                odd = largest if largest > MOST_CLASSES else int(part.min())
                raise ValueError(f"{metric.name} scores the indices of at most {MOST_CLASSES:,} classes, not {odd}")
    return scored


def of_whole_numbers(metric: Metric) -> bool | None:
    """Returns whether the metric scores integers (class indices) or real numbers; None if it scores both."""
    whole = {output.whole for output in metric.outputs if output.answers == "numbers"}
    return None if len(whole) > 1 else True in whole


def _dtype(metric: Metric, scored: Scored) -> Any:
    """Returns the dtype in which the metric gets numbers and labels, or None for tags and texts."""
    if scored.kind not in {"numbers", "labels"}:
        return None
    whole = scored.kind == "labels" or of_whole_numbers(metric)
    if whole is None:
        # The metric scores classification and regression, so only the data show which one this is.
        whole = scored.targets.dtype.kind in "biu" and scored.values.dtype.kind in "biu"
    return np.int64 if whole else np.float64


def _cast(metric: Metric, part: Array, dtype: Any) -> Array:
    cast: Array = part.astype(dtype)
    # Casting truncates, so 1.4 would silently become class 1.
    if dtype == np.int64 and part.dtype.kind == "f" and not np.array_equal(cast, part):
        raise ValueError(f"{metric.name} scores whole numbers, and some of these are not: {part[cast != part][0]}")
    return cast


def probabilities(scored: Scored) -> Floats:
    """Returns the predictor's probabilities (N, K), or 1 for each predicted class or label if it has none.

    Probabilities of classes are scaled to sum to 1.
    """
    if scored.scores is None:
        if scored.kind == "labels":
            return scored.values.astype(np.float64)
        # The number of classes is not known here; columns up to the largest index that occurs are enough.
        count = int(max(scored.targets.max(), scored.values.max())) + 1
        return np.asarray(np.eye(max(2, count))[scored.values.astype(np.int64)])
    scores = scored.scores.astype(np.float64)
    if scored.kind == "labels":
        return scores
    # A softmax in fp32 sums to 1 only up to rounding, which the log loss would show.
    total = scores.sum(axis=1, keepdims=True)
    return np.asarray(scores / np.where(total > 0, total, 1))


def objects(items: Sequence[Any]) -> Array:
    """Returns an array (N,) of dtype object with one item in each element."""
    # `np.array` would turn tuples of equal length into a matrix.
    return np.fromiter(items, dtype=object, count=len(items))


def _as_array(part: Any) -> Array:
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
        raise ValueError(f"probabilities {scored.scores.shape} should have columns for at least {width} classes")
