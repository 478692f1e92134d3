"""The plugin's hooks: the strategy `cluster`, and metrics of clusterings. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench import Metric, Strategy, hookimpl
from tlbench_unsupervised.cluster import Cluster
from tlbench_unsupervised.clustering_metrics import AdjustedRand, NormalizedMutualInformation, Purity

tlbench_api = (1, 0)


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns the strategy, with default parameters."""
    return [Cluster()]


@hookimpl
def tlbench_metrics() -> Iterable[Metric]:
    """Returns metrics that compare clusters with classes, whatever the clusters are called."""
    return [NormalizedMutualInformation(), AdjustedRand(), Purity()]
