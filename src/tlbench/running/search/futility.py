"""Stops a cell after its first seed if its best setting is no better than a constant answer (`stop = "futility"`)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Classes, MultiLabel, Scalar, TokenClasses
from tlbench.running.splits import Splits


@dataclass(frozen=True)
class Futility:
    """The rule that decides from the winner's validation score whether the other seeds are fitted.

    The rule reads nothing but this score and the data, so the decision is the same on any number of workers, after any
    interruption and whatever other cells do. It reads no test example.
    """

    floor: float
    """The validation score of the constant answer that scores best on the training examples of the first seed."""
    greater_is_better: bool

    def reason(self, validation: float | None) -> str:
        """Returns why the other seeds are not fitted, or an empty text if they are."""
        sign = 1.0 if self.greater_is_better else -1.0
        if validation is None or sign * validation > sign * self.floor:
            return ""
        return f"validation {validation:.4g}, and {self.floor:.4g} for a constant answer"


def futility_of(catalog: Catalog, cell: Cell, info: TaskInfo, metric: Metric) -> Futility | None:
    """Returns the rule of a cell, or None if it is never stopped for futility.

    It is None without `stop = "futility"`, with one seed, for a floor (`knows_nothing`), for a task whose output has no
    constant answer, if the constant answer cannot be scored, and if all validation examples have the same target.
    """
    protocol, output = cell.protocol, info.output
    if protocol.stop != "futility" or len(protocol.seeds) < 2:
        return None
    # Floors are never stopped: they may well be no better than a constant, and intervals of gains need all their seeds.
    if catalog.strategy(cell.strategy.name).item.knows_nothing or not isinstance(
        output, Classes | MultiLabel | Scalar | TokenClasses
    ):
        return None
    # Errors are ignored here: if data cannot be read, or if the metric fails on the fits too, the fits report it.
    with suppress(Exception, SystemExit):
        from tlbench.metrics.best_constant import constant_score

        splits, seed = Splits(catalog.task(cell.task.name).item), protocol.seeds[0]
        if protocol.folds:
            # All examples are in the folds, so training and validation examples of a trial are the same ones.
            train = validation = splits.subset(seed, protocol.amount, protocol.final)
        else:
            train, validation = splits.subset(seed, protocol.amount), splits.validation_of(protocol.amount)
        targets, held_out = ([example.target for example in part] for part in (train, validation))
        # If all validation examples have the same target, they cannot tell a good fit from a constant answer.
        if held_out.count(held_out[0]) == len(held_out):
            return None
        floor = constant_score(output, targets, held_out, metric, info.positive)
        return Futility(floor, metric.greater_is_better)
    return None
