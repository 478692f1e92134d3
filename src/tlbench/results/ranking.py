"""Places and gains within one task."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from tlbench.contracts.metric import Metric
from tlbench.results.columns import OK, PENDING
from tlbench.results.records.summaries import CellSummary

if TYPE_CHECKING:
    from tlbench.results.stats import CellPredictions

PredictionsOf: TypeAlias = "Callable[[CellSummary], CellPredictions | None]"
"""Returns the stored predictions of a line, or None."""
Complain: TypeAlias = Callable[[str], None]
"""Is told in one line what is wrong with a ranking."""


class Place(NamedTuple):
    """A rank, counted from 1; those that share it are tied."""

    rank: int | None
    tied: bool
    ranked_by: str


Ranked: TypeAlias = Callable[[Metric, Sequence[CellSummary]], list[Place]]
"""Returns the place of each of these lines of one task, which all have a score in this metric."""

_AGREEMENT = 1e-6
_RAISED = (Exception, SystemExit)
"""What a plugin's metric may raise of predictions."""
NOWHERE = Place(None, False, "")
"""Of what has no score."""


def goodness(line: CellSummary, metrics: Mapping[str, Metric]) -> tuple[int, float]:
    """Returns a key that sorts the lines of a task: best first, then what failed, then what is pending."""
    group = {OK: 0, PENDING: 2}.get(line.status, 1)
    return group, -_sign(metrics.get(line.metric)) * line.value if group == 0 and line.value is not None else 0.0


def gains(
    lines: Sequence[CellSummary],
    metrics: Mapping[str, Metric],
    conditions: Callable[[CellSummary], Hashable] = lambda line: None,
) -> list[float | None]:
    """Returns the gain of each line of a task, in points or its metric's unit, over `from-scratch` and its backbone.

    Args:
        lines: All of one task.
        metrics: By name.
        conditions: What must be equal for a gain to be one: how much was trained on, and which test split.
    """
    names = {name for name in {line.strategy for line in lines} if _is_scratch(name)}
    if not names:
        return [None] * len(lines)
    # Against the best of several: a gain over a starved baseline is none.
    scratch: dict[Hashable, CellSummary] = {}
    keys = [(line.backbone, conditions(line)) for line in lines]
    for line, key in zip(lines, keys, strict=True):
        if line.strategy in names and line.status == OK and line.backbone:
            known = scratch.get(key)
            if known is None or goodness(line, metrics) < goodness(known, metrics):
                scratch[key] = line
    return [
        _gain(line, scratch[key], metrics.get(line.metric))
        if key in scratch and line.status == OK and line.strategy not in names
        else None
        for line, key in zip(lines, keys, strict=True)
    ]


def places(lines: Sequence[CellSummary], ranked: Ranked, metrics: Mapping[str, Metric]) -> list[Place]:
    """Returns the place of each line of a task; what has no score shares the place behind all that have one.

    What was scored by a metric that nobody knows has no place.
    """
    found = dict.fromkeys(range(len(lines)), NOWHERE)
    done: dict[str, list[int]] = {}
    for i, line in enumerate(lines):
        if line.status == OK:
            done.setdefault(line.metric, []).append(i)
    for name in sorted(done.keys() & metrics.keys()):
        found.update(zip(done[name], ranked(metrics[name], [lines[i] for i in done[name]]), strict=True))
    failed = [i for i, line in enumerate(lines) if line.status not in {OK, PENDING}]
    last = sum(map(len, done.values())) + 1
    found.update(dict.fromkeys(failed, Place(last, len(failed) > 1, "")))
    return list(found.values())


def by_intervals(metric: Metric, lines: Sequence[CellSummary]) -> list[Place]:
    """Returns places by whether intervals overlap."""
    return by_predictions(metric, lines, lambda line: None)


def by_predictions(
    metric: Metric,
    lines: Sequence[CellSummary],
    predictions_of: PredictionsOf,
    complain: Complain = lambda text: None,
) -> list[Place]:
    """Returns places by paired tests where there are predictions, else by whether intervals overlap.

    Where the metric cannot be computed from the predictions, places are by intervals, and one line says so.
    """
    from tlbench.results.stats import RankEntry, tied_ranks

    def entries(predictions_of: PredictionsOf) -> list[RankEntry]:
        found = []
        for line in lines:
            predictions = _fitting(metric, line, predictions_of(line), failed)
            found.append(RankEntry(*_ends(line, predictions is not None), predictions))
        return found

    failed: list[BaseException] = []
    try:
        ranks = tied_ranks(metric, entries(predictions_of))
    except _RAISED as error:
        failed.append(error)
        ranks = tied_ranks(metric, entries(lambda line: None))
    if failed:
        why = " ".join(f"{type(failed[0]).__name__}: {failed[0]}".split())
        complain(
            f"{lines[0].task}: the metric {metric.name} cannot be computed from stored predictions, and intervals rank"
            f" what it cannot: {why}"
        )
    return [Place(rank.place, rank.tied, "paired test" if rank.paired else "intervals") for rank in ranks]


def _fitting(
    metric: Metric, line: CellSummary, predictions: CellPredictions | None, failed: list[BaseException]
) -> CellPredictions | None:
    """Returns the predictions, or None where they do not give the recorded score: no test may rest on those.

    What the metric raises of them is added to `failed`.
    """
    if predictions is None:
        return None
    from tlbench.results.stats import mean_score

    if predictions.positive != line.positive:
        predictions = replace(predictions, positive=line.positive)
    value = cast(float, line.value)  # what is ok has one
    try:
        agree = abs(mean_score(metric, predictions) - value) <= _AGREEMENT * max(1.0, abs(value))
    except _RAISED as error:
        failed.append(error)
        return None
    return predictions if agree else None


def _ends(line: CellSummary, is_tested: bool) -> tuple[float, float, float]:
    """Returns the value and the ends of its interval."""
    # What is ok has all three.
    value, low, high = cast(tuple[float, float, float], (line.value, line.low, line.high))
    if is_tested:
        return value, low, high
    # Ends over examples alone would be more certain than the test that they stand in for.
    spread = _seed_halfwidth(line.seed_std, line.seeds)
    return value, value - math.hypot(value - low, spread), value + math.hypot(high - value, spread)


def _seed_halfwidth(deviation: float | None, seeds: int) -> float:
    """Returns half of the 95% interval of a mean over seeds."""
    return 0.0 if deviation is None or seeds < 2 else _halfwidth_factor(seeds) * deviation


@lru_cache(maxsize=64)
def _halfwidth_factor(seeds: int) -> float:
    """Returns the 97.5% quantile of Student's t over the root of the number of seeds."""
    from scipy.special import stdtrit

    return float(stdtrit(seeds - 1, 0.975)) / math.sqrt(seeds)


def _gain(line: CellSummary, scratch: CellSummary, metric: Metric | None) -> float:
    value, base = cast(tuple[float, float], (line.value, scratch.value))
    return (metric.points if metric else 100.0) * _sign(metric) * (value - base)


def _is_scratch(strategy: str) -> bool:
    return strategy.partition("[")[0].rpartition("/")[2] == "from-scratch"


def _sign(metric: Metric | None) -> int:
    return 1 if metric is None or metric.greater_is_better else -1
