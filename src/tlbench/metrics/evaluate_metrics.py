"""The metrics as `evaluate.Metric` subclasses, for those who use that library; a run never imports it.

`evaluate.load` is never called: it runs a script, from the hub or from the working directory.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np

from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import AnswerKind
from tlbench.metrics import named
from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Scored, of_whole_numbers


def metric_class(metric: str | Metric, kind: AnswerKind = "numbers") -> type[Any]:
    """Returns the `evaluate.Metric` subclass of a metric, made at the first call; importing evaluate takes seconds.

    What it computes is `tlbench.metrics.resampling.score`. A metric of probabilities takes rows of them as predictions.

    Args:
        metric: A metric, or the name of one of tlbench's own.
        kind: What references and predictions are: numbers (class indices too), labels (rows of 0 and 1), tags (rows of
            texts), or texts (each prediction a text, each reference a list of those that are accepted).

    Raises:
        KeyError: There is no such metric.
    """
    return _made(named(metric), kind)


@cache
def _made(metric: Metric, kind: AnswerKind) -> type[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets  # type: ignore[import-untyped]
        import evaluate

    numbers = datasets.Value("int64" if of_whole_numbers(metric) or kind == "labels" else "float64")
    references, predictions = {
        "numbers": (numbers, numbers),
        "labels": (datasets.Sequence(numbers), datasets.Sequence(numbers)),
        "tags": (datasets.Sequence(datasets.Value("string")), datasets.Sequence(datasets.Value("string"))),
        "texts": (datasets.Sequence(datasets.Value("string")), datasets.Value("string")),
    }[kind]
    if metric.reads_scores:
        predictions = datasets.Sequence(datasets.Value("float64"))

    class PackagedMetric(evaluate.Metric):  # type: ignore[misc]
        """A metric whose formula is in this package."""

        def __init__(self, *, positive: int = 1, **kwargs: Any) -> None:
            self.positive = positive
            super().__init__(**kwargs)

        def _info(self) -> Any:
            features = datasets.Features({"predictions": predictions, "references": references})
            return evaluate.MetricInfo(
                description=metric.label, citation=metric.citation, inputs_description="", features=features
            )

        def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
            return {metric.name: score(metric, _scored(metric, kind, references, predictions, self.positive))}

    PackagedMetric.__name__ = PackagedMetric.__qualname__ = "".join(part.title() for part in metric.name.split("_"))
    return PackagedMetric


def _scored(metric: Metric, kind: AnswerKind, references: Any, predictions: Any, positive: int) -> Scored:
    if metric.reads_scores:
        given = np.asarray(predictions, dtype=np.float64)
        values = (given > 0.5).astype(np.int64) if kind == "labels" else given.argmax(axis=1)
        return Scored(np.asarray(references), values, given, positive)
    if kind in {"numbers", "labels"}:
        both = np.asarray(references), np.asarray(predictions)
        if of_whole_numbers(metric) is None and all((part == np.round(part)).all() for part in both):
            # The library has one type for all numbers of a metric of classes and of real numbers.
            both = both[0].astype(np.int64), both[1].astype(np.int64)
        return Scored(*both, positive=positive)
    accepted = [tuple(item) for item in references]
    answers = [tuple(item) for item in predictions] if kind == "tags" else list(predictions)
    return Scored(accepted, answers, positive=positive)  # type: ignore[arg-type]
