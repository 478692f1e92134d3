"""Metrics: what is known of each, its formula in NumPy, its intervals. Importing this imports no NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tlbench.contracts.metric import Metric
from tlbench.metrics.builtin import BUILT_IN

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in BUILT_IN})
"""The metrics that tlbench brings, by name; a plugin's stand beside them in a catalog."""


def named(metric: str | Metric) -> Metric:
    """Returns the metric itself, or the one of tlbench's own that has this name.

    Raises:
        KeyError: There is none.
    """
    return METRICS[metric] if isinstance(metric, str) else metric
