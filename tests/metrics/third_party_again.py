"""Another plugin with the same metric, and one that has the name of tlbench's own."""

from __future__ import annotations

from tests.metrics.third_party import Cost
from tlbench import Classes, Metric, hookimpl


class Accuracy(Metric):
    name = label = "accuracy"
    outputs = (Classes,)


@hookimpl
def tlbench_metrics():
    return [Cost(), Accuracy()]
