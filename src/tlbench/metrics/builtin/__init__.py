"""Descriptions of tlbench's own metrics; their formulas, which need NumPy, are imported when used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar, Span, Text, TokenClasses

if TYPE_CHECKING:
    from tlbench.contracts.metric import Resampler
    from tlbench.metrics.formula import Formula, Sums
    from tlbench.metrics.scored import Floats, Scored

_CLASSES = (Classes,)
_LABELS = (Classes, MultiLabel)
_TAGS = (TokenClasses,)
_ANSWERS = (Span, Text)
_TEXTS = (Text,)
_NUMBERS = (Scalar,)
_CERTAIN_AND_WRONG = 36.04365338911715
"""The largest log loss of an example: -log of the smallest probability after clipping, the machine epsilon of fp64."""


@dataclass(frozen=True)
class BuiltIn(Metric):
    """One of tlbench's own metrics, with the name of the module of this package that has its formula."""

    module: str
    name: str
    label: str
    outputs: tuple[type[Output], ...]
    citation: str = ""
    greater_is_better: bool = True
    lowest: float | None = 0.0
    highest: float | None = 1.0
    worst: float | None = 0.0
    reads_scores: bool = False
    in_points: bool = True

    @property
    def formula(self) -> Formula:
        """The formula, from which statistics, value and resampler follow."""
        formulas: dict[str, Formula] = import_module(f"{__name__}.{self.module}").FORMULAS
        return formulas[self.name]

    def statistics(self, scored: Scored) -> Floats:
        """Returns the statistics (N, m) of each example, whose sums determine the metric.

        Raises:
            KeyError: The metric is not a function of sums (Spearman's correlation, ROC AUC).
        """
        return self._sums().parts(scored)

    def value(self, sums: Floats) -> Floats:
        """Returns the metric (...) for each row of sums (..., m); never NaN.

        Raises:
            KeyError: The metric is not a function of sums.
        """
        return self._sums().value(sums)

    def resampler(self, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N) to the metric (R,)."""
        return self.formula.resampler(self, scored)

    def _sums(self) -> Sums:
        from tlbench.metrics.formula import Sums

        if not isinstance(formula := self.formula, Sums):
            raise KeyError(self.name)
        return formula


BUILT_IN = (
    BuiltIn(
        "classification", "accuracy", "accuracy", (Classes, MultiLabel, TokenClasses),
        "The share of examples with the correct class, with all labels correct, or of words with the correct tag.",
    ),
    BuiltIn(
        "classification", "balanced_accuracy", "balanced accuracy", _CLASSES,
        "Brodersen et al. 2010, doi:10.1109/ICPR.2010.764: the mean recall over the classes that occur.",
    ),
    BuiltIn(
        "classification", "precision", "precision", _CLASSES,
        "The share of positive predictions that are correct.",
    ),
    BuiltIn("classification", "recall", "recall", _CLASSES, "The share of positive targets that are predicted."),
    BuiltIn(
        "classification", "f1", "F1", _CLASSES,
        "van Rijsbergen 1979: harmonic mean of precision and recall of the positive class.",
    ),
    BuiltIn(
        "classification", "precision_macro", "macro precision", _LABELS, "The mean precision over classes."
    ),
    BuiltIn("classification", "recall_macro", "macro recall", _LABELS, "The mean recall over classes."),
    BuiltIn("classification", "f1_macro", "macro F1", _LABELS, "The mean F1 over classes."),
    BuiltIn("classification", "f1_micro", "micro F1", _LABELS, "F1 of the counts pooled over classes."),
    BuiltIn(
        "classification", "f1_weighted", "weighted F1", _LABELS,
        "The mean F1 over classes, weighted by their number of targets.",
    ),
    BuiltIn(
        "classification", "matthews", "Matthews", _CLASSES,
        "Matthews 1975, doi:10.1016/0005-2795(75)90109-9; several classes: Gorodkin 2004.", lowest=-1.0,
    ),
    BuiltIn(
        "probability", "top5_accuracy", "top-5 accuracy", _CLASSES,
        "Russakovsky et al. 2015, arXiv:1409.0575: the share of targets among the five most probable classes.",
        reads_scores=True,
    ),
    BuiltIn(
        "probability", "roc_auc", "ROC AUC", _LABELS,
        "Fawcett 2006, doi:10.1016/j.patrec.2005.10.010; several classes: the mean of each against the rest.",
        worst=0.5, reads_scores=True,
    ),
    BuiltIn(
        "probability", "log_loss", "log loss", _CLASSES,
        "The mean negative log-probability of the target class, in nats.",
        greater_is_better=False, highest=None, worst=_CERTAIN_AND_WRONG, reads_scores=True, in_points=False,
    ),
    BuiltIn(
        "probability", "calibration_error", "calibration error", _CLASSES,
        "Guo et al. 2017, arXiv:1706.04599: expected calibration error, 15 bins of equal width.",
        greater_is_better=False, worst=1.0, reads_scores=True,
    ),
    BuiltIn(
        "correlation", "pearson", "Pearson", _NUMBERS, "Pearson 1895: correlation of two variables.", lowest=-1.0
    ),
    BuiltIn(
        "correlation", "spearman", "Spearman", _NUMBERS,
        "Spearman 1904: Pearson's correlation of ranks; ties share their mean rank.", lowest=-1.0,
    ),
    BuiltIn(
        "regression", "mse", "mean squared error", _NUMBERS, "The mean of the squared error.",
        greater_is_better=False, highest=None, worst=None, in_points=False,
    ),
    BuiltIn(
        "regression", "rmse", "root mean squared error", _NUMBERS, "The root of the mean of the squared error.",
        greater_is_better=False, highest=None, worst=None, in_points=False,
    ),
    BuiltIn(
        "regression", "mae", "mean absolute error", _NUMBERS, "The mean of the absolute error.",
        greater_is_better=False, highest=None, worst=None, in_points=False,
    ),
    BuiltIn(
        "regression", "r2", "R²", _NUMBERS,
        "The coefficient of determination: the share of the targets' variance that is explained; below 0 for "
        "predictions worse than their mean.", lowest=None,
    ),
    BuiltIn(
        "tagging", "entity_f1", "entity F1", _TAGS,
        "Tjong Kim Sang & De Meulder 2003: F1 over entities, type and boundaries exact.",
    ),
    BuiltIn(
        "tagging", "entity_precision", "entity precision", _TAGS,
        "The share of predicted entities that are correct.",
    ),
    BuiltIn(
        "tagging", "entity_recall", "entity recall", _TAGS, "The share of actual entities that are predicted."
    ),
    BuiltIn(
        "answering", "exact_match", "exact match", _ANSWERS,
        "Rajpurkar et al. 2016, arXiv:1606.05250; no answer: 2018, arXiv:1806.03822.",
    ),
    BuiltIn(
        "answering", "answer_f1", "answer F1", _ANSWERS,
        "Rajpurkar et al. 2016, arXiv:1606.05250; no answer: 2018, arXiv:1806.03822.",
    ),
    BuiltIn(
        "text_overlap", "rouge1", "ROUGE-1", _TEXTS,
        "Lin 2004, W04-1013: F-measure of words, the best accepted text, stemmed.",
    ),
    BuiltIn(
        "text_overlap", "rouge2", "ROUGE-2", _TEXTS,
        "Lin 2004, W04-1013: F-measure of pairs of words, the best accepted text, stemmed.",
    ),
    BuiltIn(
        "text_overlap", "rougeL", "ROUGE-L", _TEXTS,
        "Lin 2004, W04-1013: F-measure of the longest common subsequence, the best accepted text, stemmed.",
    ),
    BuiltIn("text_overlap", "bleu", "BLEU", _TEXTS, "Papineni et al. 2002, P02-1040; Post 2018, arXiv:1804.08771."),
    BuiltIn("text_overlap", "chrf", "chrF", _TEXTS, "Popović 2015, W15-3049; Post 2018, arXiv:1804.08771."),
)  # fmt: skip

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in BUILT_IN})
"""tlbench's own metrics by name; a catalog adds those of plugins."""


def named(metric: str | Metric) -> Metric:
    """Returns tlbench's metric of this name, or the given metric itself.

    Raises:
        KeyError: tlbench has no metric of this name.
    """
    return METRICS[metric] if isinstance(metric, str) else metric
