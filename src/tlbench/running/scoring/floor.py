"""Compares the final fits with a constant answer, to name those that are no better on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Classes, MultiLabel, Output, Scalar, TokenClasses
from tlbench.contracts.record import Floor, TestScore
from tlbench.contracts.task import Examples
from tlbench.metrics.best_constant import constant_score
from tlbench.metrics.scored import Scored

if TYPE_CHECKING:
    from tlbench.running.fitting.context import CellContext

_SAME = 1e-3
"""Predicted numbers count as one answer if their range is below this share of the targets' standard deviation."""


def floor_of(
    predictions: Mapping[int, Scored], scores: Sequence[TestScore], context: CellContext, seed: int
) -> Floor | None:
    """Returns how the final fits compare with a constant answer, or None for a floor without a backbone.

    Args:
        predictions: The test predictions of each seed.
        scores: The test scores of each seed.
        context: The cell's task, splits and strategy.
        seed: The seed whose training examples choose the constant answer.
    """
    strategy = context.strategy.item
    if strategy.knows_nothing and not strategy.uses_backbone:
        return None
    one_answer = tuple(seed for seed, scored in predictions.items() if gives_one_answer(scored))
    constant = _constant_score(context, seed)
    primary = [one for one in scores if one.metric == context.metric.name and one.slice is None]
    low = [one.seed for one in primary if constant is not None and reaches(one, constant, context.metric)]
    at_floor = tuple(seed for seed in predictions if seed in low or seed in one_answer)
    return Floor(constant, one_answer, at_floor, pretrained=not strategy.knows_nothing)


def gives_one_answer(scored: Scored) -> bool:
    """Returns whether all predictions are equal although the targets are not.

    Tags are compared word by word, and numbers up to a thousandth of the standard deviation of the targets.
    """
    if scored.kind == "tags":
        answers, targets = ({tag for row in rows for tag in row} for rows in (scored.values, scored.targets))
        return len(answers) == 1 < len(targets)
    if scored.kind == "texts":
        return len(set(scored.values)) == 1 < len(set(scored.targets))
    if (scored.targets == scored.targets[0]).all():
        return False
    if scored.values.dtype.kind == "f":
        return bool(np.ptp(scored.values) <= _SAME * scored.targets.std())
    return bool((scored.values == scored.values[0]).all())


def reaches(score: TestScore, floor: float, metric: Metric) -> bool:
    """Returns whether the interval of a score reaches the floor, or lies beyond it on the side of worse scores."""
    return score.low <= floor if metric.greater_is_better else score.high >= floor


def _constant_score(context: CellContext, seed: int) -> float | None:
    """Returns the test score of the constant answer that scores best on the training examples, or None.

    It is None if there is no constant answer, if the metric fails on it, or if all test examples have the same target.
    """
    if not has_constant(context.info.output):
        return None
    protocol = context.cell.protocol
    train = context.splits.subset(seed, protocol.amount, protocol.final)
    try:
        return score_of_constant(context.info, train, context.test(), context.metric)
    # The constant score only serves a remark on the fits, so a metric that fails on it must not fail the cell.
    except context.session.caught:
        return None


def has_constant(output: Output) -> bool:
    """Returns whether there is a constant answer for an output."""
    return isinstance(output, Classes | MultiLabel | Scalar | TokenClasses)


def score_of_constant(task: TaskInfo, train: Examples, test: Examples, metric: Metric) -> float | None:
    """Returns the test score of the constant answer that scores best on train; None if all test targets are equal."""
    train_targets, targets = ([example.target for example in part] for part in (train, test))
    if targets.count(targets[0]) == len(targets):
        return None
    return constant_score(task.output, train_targets, targets, metric, task.positive)
