"""Gains: how much better a cell's score is than the best floor of its task, with an interval."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from tlbench.contracts.metric import Metric
from tlbench.results.columns import OK, ONE_FIT, STRATEGY
from tlbench.results.floors import is_floor
from tlbench.results.ranking import NOWHERE, Place, goodness, sign
from tlbench.results.records.summaries import CellSummary


class Gain(NamedTuple):
    """How much better a cell's score is than that of its best floor, in points or in the metric's unit."""

    value: float | None = None
    low: float | None = None
    """Lower end of the 95% interval; None without predictions of both cells for the same examples."""
    high: float | None = None
    of: str = ""
    """"strategy" for an interval over examples and seeds, "one fit" for one over examples alone."""
    over: str = ""
    """The strategy of the floor."""


NO_GAIN = Gain()
"""The gain of a floor, of a cell without a score, and of a cell without a floor."""


def gains(
    summaries: Sequence[CellSummary],
    metrics: Mapping[str, Metric],
    conditions: Callable[[CellSummary], Hashable] = lambda summary: None,
    places: Sequence[Place] = (),
) -> list[Gain]:
    """Returns each cell's gain over its floor with the best score.

    The floors of a cell are those with its backbone, such as `from-scratch`, and those without a backbone, such as
    `majority`. The best of several scores is too good by chance, on average, so gains are rather too small than too
    large.

    Args:
        summaries: All cells of one task.
        metrics: Metrics by name.
        conditions: Returns a key that must be equal for two scores to be comparable, such as the amount of training
            data and the version of the test split.
        places: The rank and variance components of each cell, from which intervals are computed.
    """
    names = {name for name in {summary.strategy for summary in summaries} if is_floor(name)}
    if not names:
        return [NO_GAIN] * len(summaries)
    places = places or [NOWHERE] * len(summaries)
    best: dict[Hashable, int] = {}
    keys = [(conditions(summary), summary.metric) for summary in summaries]
    for i, (summary, key) in enumerate(zip(summaries, keys, strict=True)):
        if summary.strategy in names and summary.status == OK:
            known = best.get((summary.backbone, *key))
            if known is None or goodness(summary, metrics) < goodness(summaries[known], metrics):
                best[summary.backbone, *key] = i
    results = []
    # Many cells share a floor, which is looked for once.
    floors: dict[Hashable, int | None] = {}
    for summary, key, place in zip(summaries, keys, places, strict=True):
        shared = (summary.backbone, key)
        if shared not in floors:
            own = [best[name, *key] for name in dict.fromkeys((summary.backbone, "")) if (name, *key) in best]
            floors[shared] = min(own, key=lambda i: goodness(summaries[i], metrics), default=None)
        floor = floors[shared]
        if floor is None or summary.status != OK or summary.strategy in names:
            results.append(NO_GAIN)
        else:
            results.append(_gain(summary, place, summaries[floor], places[floor], metrics.get(summary.metric)))
    return results


def gain_columns(all_gains: Sequence[Gain]) -> dict[str, list[Any]]:
    """Returns the columns of the frame that hold gains."""
    values = zip(*all_gains, strict=True) if all_gains else [()] * len(Gain._fields)
    names = ("gain", "gain_low", "gain_high", "gain_interval_of", "gain_over")
    return {name: list(column) for name, column in zip(names, values, strict=True)}


def _gain(summary: CellSummary, place: Place, floor: CellSummary, its: Place, metric: Metric | None) -> Gain:
    scale = (metric.points if metric else 100.0) * sign(metric)
    # A cell with status ok has a value.
    value = scale * ((summary.value or 0.0) - (floor.value or 0.0))
    own, of_floor = place.variance, its.variance
    if own is None or of_floor is None or own.family != of_floor.family or of_floor.place not in own.from_floors:
        return Gain(value, over=floor.strategy)
    half = abs(scale) * own.from_floors[of_floor.place]
    kind = STRATEGY if min(own.seeds, of_floor.seeds) > 1 else ONE_FIT
    return Gain(value, value - half, value + half, kind, floor.strategy)
