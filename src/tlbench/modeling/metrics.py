"""The metrics as `evaluate.Metric` subclasses: what a test score goes through.

`evaluate.load` is never called: it runs a script, from the hub or from the working directory. Importing evaluate
takes seconds, so the classes are made when one is first asked for. A search scores by `tlbench.modeling.statistics`
instead, which gives the same values without it.
"""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tlbench.contracts.metric import METRICS
from tlbench.modeling.statistics import check_pair

_CITATIONS = {
    "accuracy": "The share of examples whose class is right.",
    "f1": "van Rijsbergen 1979: harmonic mean of precision and recall of the positive class.",
    "f1_macro": "The mean over classes of their F1.",
    "matthews": "Matthews 1975, doi:10.1016/0005-2795(75)90109-9; several classes: Gorodkin 2004.",
    "pearson": "Pearson 1895: correlation of two variables.",
    "spearman": "Spearman 1904: Pearson's correlation of ranks; ties share their mean rank.",
}


def compute(
    metric: str, targets: ArrayLike, predictions: ArrayLike, positive: int = 1, cache_dir: Path | str | None = None
) -> float:
    """Returns the metric of (N,) predictions through evaluate; never NaN.

    A correlation in which either side is constant is 0.

    Args:
        metric: A name in `tlbench.METRICS`.
        targets: (N,) class indices or real numbers.
        predictions: (N,) the same.
        positive: For binary F1, the class that counts as found.
        cache_dir: Where evaluate may write; a temporary folder if None. It never falls back to the user's home.

    Raises:
        KeyError: There is no such metric.
        ValueError: There are no examples, or the two differ in length.
        Diverged: A prediction is not finite.
    """
    references, answers = check_pair(metric, targets, predictions)
    with _folder(cache_dir) as folder:
        scorer = metric_class(metric)(cache_dir=str(folder), keep_in_memory=True, positive=positive)
        result = scorer.compute(predictions=answers.tolist(), references=references.tolist())
    value = float(result[metric])
    return value if math.isfinite(value) else METRICS[metric].worst


@cache
def metric_class(metric: str) -> type[Any]:
    """Returns the `evaluate.Metric` subclass of this name, made at the first call.

    Raises:
        KeyError: There is no such metric.
    """
    formula, info = _FORMULAS[metric], METRICS[metric]
    with _without_pipelines(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets  # type: ignore[import-untyped]
        import evaluate

    kind = "float64" if metric in {"pearson", "spearman"} else "int64"

    class PackagedMetric(evaluate.Metric):  # type: ignore[misc]
        """A metric whose formula is in this package."""

        def __init__(self, *, positive: int = 1, **kwargs: Any) -> None:
            self.positive = positive
            super().__init__(**kwargs)

        def _info(self) -> Any:
            features = datasets.Features({"predictions": datasets.Value(kind), "references": datasets.Value(kind)})
            return evaluate.MetricInfo(
                description=info.label, citation=_CITATIONS[metric], inputs_description="", features=features
            )

        def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
            return {metric: formula(np.asarray(references), np.asarray(predictions), self.positive)}

    PackagedMetric.__name__ = PackagedMetric.__qualname__ = "".join(part.title() for part in metric.split("_"))
    return PackagedMetric


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


def _accuracy(targets: np.ndarray, values: np.ndarray, positive: int) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(targets, values))


def _f1(targets: np.ndarray, values: np.ndarray, positive: int) -> float:
    from sklearn.metrics import f1_score

    # Against all other classes together, so that it is defined for any number of them.
    return float(f1_score(targets == positive, values == positive, pos_label=True, zero_division=0))


def _f1_macro(targets: np.ndarray, values: np.ndarray, positive: int) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(targets, values, average="macro", zero_division=0))


def _matthews(targets: np.ndarray, values: np.ndarray, positive: int) -> float:
    from sklearn.metrics import matthews_corrcoef

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a single class on both sides: 0, as everywhere here
        return float(matthews_corrcoef(targets, values))


def _pearson(targets: np.ndarray, values: np.ndarray, positive: int) -> float:
    from scipy.stats import pearsonr

    return _correlation(lambda: pearsonr(targets, values).statistic, targets, values)


def _spearman(targets: np.ndarray, values: np.ndarray, positive: int) -> float:
    from scipy.stats import spearmanr

    return _correlation(lambda: spearmanr(targets, values).statistic, targets, values)


def _correlation(formula: Callable[[], Any], targets: np.ndarray, values: np.ndarray) -> float:
    if len(targets) < 2 or np.ptp(targets) == 0 or np.ptp(values) == 0:
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(formula())


_FORMULAS: dict[str, Callable[[np.ndarray, np.ndarray, int], float]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "f1_macro": _f1_macro,
    "matthews": _matthews,
    "pearson": _pearson,
    "spearman": _spearman,
}
