"""What is known of each metric without computing it: direction, unit, and which outputs it scores."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar, Span, Text, TokenClasses


@dataclass(frozen=True)
class MetricInfo:
    """One metric: its name, its heading, its direction, and the kinds of output that it scores."""

    name: str
    label: str
    outputs: tuple[type, ...]
    greater_is_better: bool = True
    worst: float = 0.0
    """The value of a predictor that knows nothing or failed; what an undefined score counts as."""
    reads_scores: bool = False
    """Whether it reads probabilities; a predictor that has none counts as certain of its answer."""
    in_points: bool = True
    """Whether it is a share of 1, which tables show in points of 100; else it is shown in its own unit."""

    @property
    def averages(self) -> bool:
        """Whether it may stand beside others in a mean over tasks: a share of which more is better."""
        return self.in_points and self.greater_is_better

    @property
    def points(self) -> float:
        """How many of the units that tables show there are in 1."""
        return 100.0 if self.in_points else 1.0


_CLASSES = (Classes,)
_LABELS = (Classes, MultiLabel)
_TAGS = (TokenClasses,)
_ANSWERS = (Span, Text)
_TEXTS = (Text,)
_NUMBERS = (Scalar,)
_CERTAIN_AND_WRONG = 36.04365338911715
"""-log of the least probability that scikit-learn counts, which is the precision of a double."""

METRICS: dict[str, MetricInfo] = {
    info.name: info
    for info in (
        MetricInfo("accuracy", "accuracy", (Classes, MultiLabel, TokenClasses)),
        MetricInfo("precision", "precision", _CLASSES),
        MetricInfo("recall", "recall", _CLASSES),
        MetricInfo("f1", "F1", _CLASSES),
        MetricInfo("precision_macro", "macro precision", _LABELS),
        MetricInfo("recall_macro", "macro recall", _LABELS),
        MetricInfo("f1_macro", "macro F1", _LABELS),
        MetricInfo("f1_micro", "micro F1", _LABELS),
        MetricInfo("f1_weighted", "weighted F1", _LABELS),
        MetricInfo("matthews", "Matthews", _CLASSES),
        MetricInfo("roc_auc", "ROC AUC", _LABELS, worst=0.5, reads_scores=True),
        MetricInfo(
            "log_loss", "log loss", _CLASSES, greater_is_better=False, worst=_CERTAIN_AND_WRONG, reads_scores=True,
            in_points=False,
        ),
        MetricInfo(
            "calibration_error", "calibration error", _CLASSES, greater_is_better=False, worst=1.0, reads_scores=True
        ),
        MetricInfo("pearson", "Pearson", _NUMBERS),
        MetricInfo("spearman", "Spearman", _NUMBERS),
        MetricInfo("entity_f1", "entity F1", _TAGS),
        MetricInfo("entity_precision", "entity precision", _TAGS),
        MetricInfo("entity_recall", "entity recall", _TAGS),
        MetricInfo("exact_match", "exact match", _ANSWERS),
        MetricInfo("answer_f1", "answer F1", _ANSWERS),
        MetricInfo("rouge1", "ROUGE-1", _TEXTS),
        MetricInfo("rouge2", "ROUGE-2", _TEXTS),
        MetricInfo("rougeL", "ROUGE-L", _TEXTS),
        MetricInfo("bleu", "BLEU", _TEXTS),
        MetricInfo("chrf", "chrF", _TEXTS),
    )
}  # fmt: skip


def supports(metric: str, output: Output) -> bool:
    """Says whether the metric is known and scores this kind of output."""
    return metric in METRICS and isinstance(output, METRICS[metric].outputs)


def greater_is_better(metric: str) -> bool:
    """Says whether more of it is better; of a metric that is not known, that it is."""
    return metric not in METRICS or METRICS[metric].greater_is_better
