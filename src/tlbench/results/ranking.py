"""Ranks with ties, and gains over training from scratch, among the cells of one task."""

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
    from tlbench.results.stats import Answers

AnswersOf: TypeAlias = "Callable[[CellSummary], Answers | None]"
"""Returns the stored predictions of a cell, or None."""
Complain: TypeAlias = Callable[[str], None]
"""Called with a one-line message about a problem with a ranking."""


class Place(NamedTuple):
    """A rank from 1; cells that cannot be distinguished share one."""

    rank: int | None
    tied: bool
    ranked_by: str


Ranked: TypeAlias = Callable[[Metric, Sequence[CellSummary]], list[Place]]
"""Returns the places of cells of one task that all have a score in one metric."""

_AGREEMENT = 1e-6
"""Largest relative difference between a recorded score and the score of its stored predictions."""
_RAISED = (Exception, SystemExit)
"""Exceptions of a plugin's metric that must not end the leaderboard. A metric may call sys.exit by mistake."""
NOWHERE = Place(None, False, "")
"""The place of a cell without a score or with an unknown metric."""


def goodness(line: CellSummary, metrics: Mapping[str, Metric]) -> tuple[int, float]:
    """Returns a sort key for the cells of a task: best score first, then failed cells, then pending ones."""
    group = {OK: 0, PENDING: 2}.get(line.status, 1)
    return group, -_sign(metrics.get(line.metric)) * line.value if group == 0 and line.value is not None else 0.0


def gains(
    lines: Sequence[CellSummary],
    metrics: Mapping[str, Metric],
    conditions: Callable[[CellSummary], Hashable] = lambda line: None,
) -> list[float | None]:
    """Returns each cell's gain over `from-scratch` with the same backbone, in points or in the metric's unit.

    Args:
        lines: All cells of one task.
        metrics: Metrics by name.
        conditions: Returns a key that must be equal for two scores to be comparable, such as the amount of training
            data and the version of the test split.
    """
    names = {name for name in {line.strategy for line in lines} if _is_scratch(name)}
    if not names:
        return [None] * len(lines)
    # Of several baselines, compare with the best: a gain over a badly tuned one means nothing.
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
    """Returns the place of each cell of a task; failed cells share the last place.

    Cells whose metric is not installed have no place.
    """
    by_position = dict.fromkeys(range(len(lines)), NOWHERE)
    done: dict[str, list[int]] = {}
    for i, line in enumerate(lines):
        if line.status == OK:
            done.setdefault(line.metric, []).append(i)
    for name in sorted(done.keys() & metrics.keys()):
        by_position.update(zip(done[name], ranked(metrics[name], [lines[i] for i in done[name]]), strict=True))
    failed = [i for i, line in enumerate(lines) if line.status not in {OK, PENDING}]
    last = sum(map(len, done.values())) + 1
    by_position.update(dict.fromkeys(failed, Place(last, len(failed) > 1, "")))
    return list(by_position.values())


def by_intervals(metric: Metric, lines: Sequence[CellSummary]) -> list[Place]:
    """Returns places in which cells tie if their intervals overlap."""
    return by_answers(metric, lines, lambda line: None)


def by_answers(
    metric: Metric,
    lines: Sequence[CellSummary],
    answers_of: AnswersOf,
    complain: Complain = lambda text: None,
) -> list[Place]:
    """Returns places in which cells tie by paired tests on their predictions, or else by overlapping intervals.

    If the metric cannot be computed from the predictions, intervals are used and `complain` is called once.

    Args:
        metric: The metric of all scores.
        lines: Cells of one task.
        answers_of: Returns a cell's stored predictions.
        complain: Receives a message about predictions that the metric cannot score.
    """
    from tlbench.results.stats import RankEntry, tied_ranks

    def entries(answers_of: AnswersOf) -> list[RankEntry]:
        ranked = []
        for line in lines:
            answers = _checked(metric, line, answers_of(line), failed)
            ranked.append(RankEntry(*_interval(line, answers is not None), answers))
        return ranked

    failed: list[BaseException] = []
    try:
        ranks = tied_ranks(metric, entries(answers_of))
    except _RAISED as error:
        failed.append(error)
        # A test compares pairs of cells, so one cell without predictions cannot be left out on its own.
        ranks = tied_ranks(metric, entries(lambda line: None))
    if failed:
        why = " ".join(f"{type(failed[0]).__name__}: {failed[0]}".split())
        complain(
            f"{lines[0].task}: the metric {metric.name} cannot be computed from stored predictions, and intervals rank"
            f" what it cannot: {why}"
        )
    return [Place(rank.place, rank.tied, "paired test" if rank.paired else "intervals") for rank in ranks]


def _checked(metric: Metric, line: CellSummary, answers: Answers | None, failed: list[BaseException]) -> Answers | None:
    """Returns the predictions, or None if their score is not the recorded one, since then a test would be wrong.

    Exceptions of the metric are appended to `failed`.
    """
    if answers is None:
        return None
    from tlbench.results.stats import mean_score

    if answers.positive != line.positive:
        answers = replace(answers, positive=line.positive)
    value = cast(float, line.value)  # a cell with status ok has a value
    try:
        agree = abs(mean_score(metric, answers) - value) <= _AGREEMENT * max(1.0, abs(value))
    except _RAISED as error:
        failed.append(error)
        return None
    return answers if agree else None


def _interval(line: CellSummary, is_tested: bool) -> tuple[float, float, float]:
    """Returns a cell's value and the ends of its interval."""
    # A cell with status ok has all three.
    value, low, high = cast(tuple[float, float, float], (line.value, line.low, line.high))
    if is_tested:
        return value, low, high
    # Recorded intervals are over examples only; the test that they replace is over seeds too, so widen them by seeds.
    spread = _seed_halfwidth(line.seed_std, line.seeds)
    return value, value - math.hypot(value - low, spread), value + math.hypot(high - value, spread)


def _seed_halfwidth(deviation: float | None, seeds: int) -> float:
    """Returns half the width of the 95% interval of a mean over seeds; 0 for a single seed."""
    return 0.0 if deviation is None or seeds < 2 else _halfwidth_factor(seeds) * deviation


@lru_cache(maxsize=64)
def _halfwidth_factor(seeds: int) -> float:
    """Returns the 97.5% quantile of Student's t distribution, divided by the square root of the number of seeds."""
    from scipy.special import stdtrit

    return float(stdtrit(seeds - 1, 0.975)) / math.sqrt(seeds)


def _gain(line: CellSummary, scratch: CellSummary, metric: Metric | None) -> float:
    value, base = cast(tuple[float, float], (line.value, scratch.value))
    return (metric.points if metric else 100.0) * _sign(metric) * (value - base)


def _is_scratch(strategy: str) -> bool:
    # Names may have parameters and the name of a plugin: "finetune/from-scratch[epochs=3]".
    return strategy.partition("[")[0].rpartition("/")[2] == "from-scratch"


def _sign(metric: Metric | None) -> int:
    return 1 if metric is None or metric.greater_is_better else -1
