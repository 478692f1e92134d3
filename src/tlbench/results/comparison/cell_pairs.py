"""Finds the cells that two folders of results have in common, and tests them in pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from tlbench.contracts.errors import TlbenchError
from tlbench.contracts.metric import Metric
from tlbench.results.comparison.paired_test import PairedTest, paired_test
from tlbench.results.comparison.shared_examples import shared_examples
from tlbench.results.comparison.verdicts import Comparison, margin_of
from tlbench.results.records.summaries import CellSummary
from tlbench.results.stats import CellPredictions, reproduces

PredictionsOf = Callable[[CellSummary, bool], "CellPredictions | None"]
"""Returns a cell's stored predictions, with probabilities if the second argument is true; None without them."""
_RAISED = (TlbenchError, ValueError, KeyError, ArithmeticError)
OTHER_CELL = "the two cells differ in a version, or in the protocol (such as seeds, trials or steps)"


@dataclass(frozen=True)
class CellPairs:
    """The cells of two folders."""

    pairs: tuple[tuple[CellSummary, CellSummary], ...]
    only_first: tuple[CellSummary, ...]
    only_second: tuple[CellSummary, ...]


def cell_pairs(first: Iterable[CellSummary], second: Iterable[CellSummary]) -> CellPairs:
    """Returns pairs of cells with the same id, or of one task, backbone and strategy of which each folder has one more.

    A cell gets another id if the version of its strategy or its protocol changes; it is still the same row.
    """
    of_first, of_second = ({one.cell: one for one in side} for side in (first, second))
    pairs = [(one, of_second.pop(cell)) for cell, one in list(of_first.items()) if cell in of_second]
    for one, _ in pairs:
        del of_first[one.cell]
    others, rest = _by_names(of_first.values()), _by_names(of_second.values())
    for names in others.keys() & rest.keys():
        if len(others[names]) == len(rest[names]) == 1:
            pairs.append((others[names][0], rest[names][0]))
            del of_first[others[names][0].cell], of_second[rest[names][0].cell]
    return CellPairs(
        tuple(sorted(pairs, key=lambda pair: (pair[0].task, pair[0].backbone, pair[0].strategy, pair[0].cell))),
        tuple(of_first.values()),
        tuple(of_second.values()),
    )


def compared_cells(
    first: CellSummary,
    second: CellSummary,
    metrics: Mapping[str, Metric],
    read: tuple[PredictionsOf, PredictionsOf],
    margins: Mapping[str, float],
    metric: str = "",
) -> Comparison:
    """Returns the comparison of two cells by their stored predictions.

    Args:
        first: The first cell.
        second: The second cell.
        metrics: Metrics by name.
        read: Functions that read the predictions of the first and of the second cell.
        margins: Margins by metric, from `read_regression_margins`.
        metric: Name of the metric to compare; empty for the primary one of the first cell.
    """
    name = metric or first.metric or second.metric
    title = " | ".join((first.task, first.backbone or "-", first.strategy))
    known = metrics.get(name)
    if known is None:
        notes = (f"the metric {name} is not installed",) if name else ()
        return Comparison(title, _unknown(name), None, first=first, second=second, notes=notes)
    result = Comparison(title, known, None, margin_of(known, margins), first, second)
    notes = () if first.cell == second.cell else (OTHER_CELL,)
    if first.value is None or second.value is None:
        failed = [f"{which}: {one.status}: {one.reason}" for which, one in (("A", first), ("B", second))
                  if one.value is None]  # fmt: skip
        return replace(result, notes=(*notes, *failed))
    if not metric and first.metric != second.metric:
        return replace(result, notes=(*notes, f"A is scored by {first.metric}, B by {second.metric}: give --metric"))
    test, reasons = _tested(known, first, second, read)
    return replace(result, test=test, notes=(*notes, *reasons))


def _unknown(name: str) -> Metric:
    """Returns a metric that only has a name: without a formula there is no test, and nothing says what is better."""
    metric = Metric()
    metric.name = metric.label = name
    metric.in_points = False
    return metric


def _tested(
    metric: Metric, first: CellSummary, second: CellSummary, read: tuple[PredictionsOf, PredictionsOf]
) -> tuple[PairedTest | None, list[str]]:
    """Returns the test, or None, and sentences on what limits it."""
    sides = []
    for which, one, reader in zip("AB", (first, second), read, strict=True):
        predictions = reader(one, metric.reads_scores)
        if predictions is None:
            return None, [f"{which} has no stored predictions"]
        predictions = replace(predictions, positive=one.positive)
        if metric.name == one.metric and one.value is not None and not _agree(metric, predictions, one.value):
            return None, [f"the stored predictions of {which} do not give its recorded score"]
        sides.append(predictions)
    shared = shared_examples(*sides)
    if shared is None:
        return None, ["no test example of A and B has the same id and answer"]
    try:
        test = paired_test(metric, shared.first, shared.second)
    except _RAISED as error:
        return None, [f"the metric {metric.name} cannot be computed from stored predictions: {error}"]
    return test, limits_of(shared.only_first, shared.only_second, shared.other_targets, test)


def limits_of(only_first: int, only_second: int, other_targets: int, test: PairedTest) -> list[str]:
    """Returns sentences on what limits a test: examples that were left out, and single fits."""
    counts = ((only_first, "only A has"), (only_second, "only B has"), (other_targets, "have two right answers"))
    left_out = [f"{count:,} {what}" for count, what in counts if count]
    common = f"{test.examples:,} common example{'' if test.examples == 1 else 's'}"
    notes = [f"compared on {common}: {', '.join(left_out)}"] if left_out else []
    if min(test.seeds) == 1:
        notes.append("one fit on a side: the test is about these fits, not about other seeds")
    return notes


def _agree(metric: Metric, predictions: CellPredictions, value: float) -> bool:
    try:
        return reproduces(metric, predictions, value)
    except _RAISED:
        return False


def _by_names(cells: Iterable[CellSummary]) -> dict[tuple[str, str, str], list[CellSummary]]:
    groups: dict[tuple[str, str, str], list[CellSummary]] = defaultdict(list)
    for one in cells:
        groups[one.task, one.backbone, one.strategy].append(one)
    return groups
