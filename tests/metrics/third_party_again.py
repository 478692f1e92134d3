"""A second plugin with the same metric as `third_party`, and one with the name of a built-in metric."""

from __future__ import annotations

from tests.metrics.third_party import Cost
from tlbench import Classes, Metric, hookimpl


class Accuracy(Metric):
    name = label = "accuracy"
    outputs = (Classes,)


@hookimpl
def tlbench_metrics():
    return [Cost(), Accuracy()]
