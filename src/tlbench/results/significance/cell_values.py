"""Computes the variance components of a cell's score from its stored predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tlbench.metrics.jackknife import jackknife_values
from tlbench.results.significance.components import Components, components_of

if TYPE_CHECKING:
    from tlbench.contracts.metric import Metric
    from tlbench.metrics.scored import Array, Scored


def components(metric: Metric, seeds: list[Scored] | tuple[Scored, ...], groups: Array | None = None) -> Components:
    """Returns the variance components of a cell's score.

    Args:
        metric: The metric.
        seeds: The predictions of each seed for the same N test examples.
        groups: (N,) the group of each example, from 0 to G - 1; None if examples are independent.

    Raises:
        ValueError, Diverged, PluginError: As `score`.
    """
    values = np.stack([jackknife_values(metric, one, groups) for one in seeds])
    sizes = None if groups is None else np.bincount(groups)
    # If there are more groups than `jackknife_values` leaves out one by one, it joins some, and sizes hardly matter.
    return components_of(values, sizes if sizes is not None and len(sizes) == values.shape[1] else None)
