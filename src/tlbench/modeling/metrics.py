"""The metrics by the libraries that their fields trust: as functions, and as `evaluate.Metric` subclasses.

`evaluate.load` is never called: it runs a script, from the hub or from the working directory. Importing evaluate
takes seconds, so the classes are made when one is first asked for, and test scores are computed without them. A search
scores by `tlbench.modeling.statistics`, which gives the same values sooner.
"""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tlbench.contracts.metric import METRICS
from tlbench.contracts.outputs import Scalar
from tlbench.modeling.libraries import CITATIONS, FORMULAS
from tlbench.modeling.scored import Kind, Scored, checked, probabilities


def compute(metric: str, scored: Scored, cache_dir: Path | str | None = None) -> float:
    """Returns the metric of N predictions through evaluate; never NaN.

    A correlation in which either side is constant is 0.

    Args:
        metric: A name in `tlbench.METRICS`.
        scored: Targets and predictions.
        cache_dir: Where evaluate may write; a temporary folder if None. It never falls back to the user's home.

    Raises:
        KeyError: There is no such metric.
        ValueError: There are no examples, or they are not what the metric scores.
        Diverged: A prediction is not finite.
    """
    scored = checked(metric, scored)
    answers = probabilities(scored) if METRICS[metric].reads_scores else scored.values
    with _folder(cache_dir) as folder:
        made = metric_class(metric, scored.kind)
        scorer = made(cache_dir=str(folder), keep_in_memory=True, positive=scored.positive)
        result = scorer.compute(predictions=_plain(answers), references=_plain(scored.targets))
    value = float(result[metric])
    return value if math.isfinite(value) else METRICS[metric].worst


def by_library(metric: str, scored: Scored) -> float:
    """Returns the same value as `compute`, by the same library but without evaluate; raises the same errors."""
    scored = checked(metric, scored)
    answers = probabilities(scored) if METRICS[metric].reads_scores else scored.values
    value = float(FORMULAS[metric](_plain(scored.targets), _plain(answers), scored.positive))
    return value if math.isfinite(value) else METRICS[metric].worst


@cache
def metric_class(metric: str, kind: Kind = "numbers") -> type[Any]:
    """Returns the `evaluate.Metric` subclass of this name for answers of a kind, made at the first call.

    Raises:
        KeyError: There is no such metric.
    """
    formula, info = FORMULAS[metric], METRICS[metric]
    with _without_pipelines(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets  # type: ignore[import-untyped]
        import evaluate

    numbers = datasets.Value("float64" if info.outputs == (Scalar,) else "int64")
    references, predictions = {
        "numbers": (numbers, numbers),
        "labels": (datasets.Sequence(numbers), datasets.Sequence(numbers)),
        "tags": (datasets.Sequence(datasets.Value("string")), datasets.Sequence(datasets.Value("string"))),
        "texts": (datasets.Sequence(datasets.Value("string")), datasets.Value("string")),
    }[kind]
    if info.reads_scores:
        predictions = datasets.Sequence(datasets.Value("float64"))

    class PackagedMetric(evaluate.Metric):  # type: ignore[misc]
        """A metric whose formula is in this package."""

        def __init__(self, *, positive: int = 1, **kwargs: Any) -> None:
            self.positive = positive
            super().__init__(**kwargs)

        def _info(self) -> Any:
            features = datasets.Features({"predictions": predictions, "references": references})
            return evaluate.MetricInfo(
                description=info.label, citation=CITATIONS[metric], inputs_description="", features=features
            )

        def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
            return {metric: formula(list(references), list(predictions), self.positive)}

    PackagedMetric.__name__ = PackagedMetric.__qualname__ = "".join(part.title() for part in metric.split("_"))
    return PackagedMetric


def _plain(part: Any) -> list[Any]:
    return [list(item) if isinstance(item, tuple) else item for item in part.tolist()]


@contextlib.contextmanager
def _folder(chosen: Path | str | None) -> Iterator[Path]:
    if chosen is not None:
        yield Path(chosen)
        return
    with tempfile.TemporaryDirectory(prefix="tlbench-metric-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _without_pipelines() -> Iterator[None]:
    # evaluate's Evaluator, which nothing here uses, imports the pipelines of transformers where it finds them, and with
    # them torchvision and torch's compiler: 7 s and 180 MB for each worker. It does without if they are missing.
    name = "transformers.pipelines"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
