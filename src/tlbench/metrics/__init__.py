"""Metrics: their descriptions, formulas and bootstrap intervals. Importing this package imports no NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tlbench.contracts.metric import Metric
from tlbench.metrics.builtin import BUILT_IN

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in BUILT_IN})
"""tlbench's own metrics by name; a catalog adds those of plugins."""


def named(metric: str | Metric) -> Metric:
    """Returns tlbench's metric of this name, or the given metric itself.

    Raises:
        KeyError: tlbench has no metric of this name.
    """
    return METRICS[metric] if isinstance(metric, str) else metric
