"""tlbench's metrics as `evaluate.Metric` subclasses, for use with Hugging Face evaluate; a run never imports it.

`evaluate.load` is never called, because it would run a script from the hub or from the working directory.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np

from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import PredictionForm
from tlbench.metrics import named
from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Scored, of_whole_numbers


def metric_class(metric: str | Metric, kind: PredictionForm = "numbers") -> type[Any]:
    """Returns an `evaluate.Metric` subclass that computes `tlbench.metrics.resampling.score`.

    A metric that reads probabilities takes rows of them as predictions. The first call imports evaluate, which takes
    seconds.

    Args:
        metric: A metric, or the name of one of tlbench's own.
        kind: The form of references and predictions: numbers (also class indices), labels (rows of 0 and 1), tags
            (rows of texts), or texts (a prediction is a text, a reference a list of accepted texts).

    Raises:
        KeyError: There is no such metric.
    """
    return _build_class(named(metric), kind)


@cache
def _build_class(metric: Metric, kind: PredictionForm) -> type[Any]:
    # Both libraries warn about unrelated optional dependencies when imported.
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

    # `evaluate` describes a metric by its class, so each metric and form needs a class of its own.
    class PackagedMetric(evaluate.Metric):  # type: ignore[misc]
        """An `evaluate.Metric` with the formula of one of tlbench's metrics."""

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


def _scored(metric: Metric, kind: PredictionForm, references: Any, predictions: Any, positive: int) -> Scored:
    if metric.reads_scores:
        probabilities = np.asarray(predictions, dtype=np.float64)
        values = (probabilities > 0.5).astype(np.int64) if kind == "labels" else probabilities.argmax(axis=1)
        return Scored(np.asarray(references), values, probabilities, positive)
    if kind in {"numbers", "labels"}:
        both = np.asarray(references), np.asarray(predictions)
        if of_whole_numbers(metric) is None and all((part == np.round(part)).all() for part in both):
            # The declared feature type is float64 for a metric of both classes and real numbers, so integer-valued
            # floats have to be converted back to the class indices they were.
            both = both[0].astype(np.int64), both[1].astype(np.int64)
        return Scored(*both, positive=positive)
    targets = [tuple(item) for item in references]
    values = [tuple(item) for item in predictions] if kind == "tags" else list(predictions)
    return Scored(targets, values, positive=positive)  # type: ignore[arg-type]
