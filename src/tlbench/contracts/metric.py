"""What is known of each metric without computing it: direction, and which outputs it scores."""

from __future__ import annotations

from dataclasses import dataclass

from tlbench.contracts.outputs import Classes, Output, Scalar


@dataclass(frozen=True)
class MetricInfo:
    """One metric: its name, its heading, its direction, and the kinds of output that it scores."""

    name: str
    label: str
    outputs: tuple[type, ...]
    greater_is_better: bool = True
    worst: float = 0.0
    """The value of a predictor that knows nothing or failed; what an undefined score counts as."""


METRICS: dict[str, MetricInfo] = {
    info.name: info
    for info in (
        MetricInfo("accuracy", "accuracy", (Classes,)),
        MetricInfo("f1", "F1", (Classes,)),
        MetricInfo("f1_macro", "macro F1", (Classes,)),
        MetricInfo("matthews", "Matthews", (Classes,)),
        MetricInfo("pearson", "Pearson", (Scalar,)),
        MetricInfo("spearman", "Spearman", (Scalar,)),
    )
}


def supports(metric: str, output: Output) -> bool:
    """Says whether the metric is known and scores this kind of output."""
    return metric in METRICS and isinstance(output, METRICS[metric].outputs)
