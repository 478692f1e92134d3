"""The answer of a search in which no fit gave a score: the best constant answer, which needs no worker."""

from __future__ import annotations

from tlbench.contracts.identity.amount import Amount
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Classes, MultiLabel, Scalar, TokenClasses
from tlbench.contracts.task import Task
from tlbench.finding.answering.answer import FoundSetting
from tlbench.metrics.best_constant import constant_score
from tlbench.running.splits import Splits

BEST_CONSTANT = "best-constant"
NO_FIT = -1
"""`FoundSetting.fit` of a setting that no fit of the search tried."""
NO_SCORE = "no fit gave a score within the time"


def best_constant_setting(
    task: Task, splits: Splits, amount: Amount, metric: Metric, positive: int, reason: str
) -> FoundSetting | None:
    """Returns the constant answer that is best on the training rows, with its validation score.

    None if the task's outputs have no constant answer, or the metric fails on it.

    Args:
        task: The task.
        splits: Its splits, which are read already.
        amount: The rows that fits see.
        metric: The metric.
        positive: The positive class of binary metrics.
        reason: Why it has no test score.
    """
    if not isinstance(task.output, Classes | MultiLabel | Scalar | TokenClasses):
        return None
    train, validation = (
        [example.target for example in part] for part in (splits.subset(0, amount), splits.validation_of(amount))
    )
    try:
        value = constant_score(task.output, train, validation, metric, positive)
    # A metric of a plugin may raise anything, and the answer is then without a winner.
    except (Exception, SystemExit):
        return None
    return FoundSetting("", BEST_CONSTANT, {}, value, 0.0, 0, fit=NO_FIT, is_constant=True, reason=reason)
