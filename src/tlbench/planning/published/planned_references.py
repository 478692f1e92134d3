"""Finds the planned cells that repeat the settings of a suite's published scores."""

from __future__ import annotations

from collections.abc import Mapping

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell, Protocol
from tlbench.contracts.errors import SuiteError, UsageError
from tlbench.contracts.identity.amount import Amount
from tlbench.contracts.metric import Metric
from tlbench.contracts.published.reference import Reference
from tlbench.planning.suite import Suite, SuiteReference

_Setting = tuple[str, str, str, Amount]
"""Canonical names of task, backbone ("" for none) and strategy, and the amount of labelled data."""


def references_of(suite: Suite, catalog: Catalog, cells: Mapping[str, Cell]) -> tuple[Reference, ...]:
    """Returns the suite's published scores with the planned cells that repeat their settings.

    A score whose cell is not planned is left out, because a selection on the command line left out the cell or changed
    its amount of data.

    Args:
        suite: The suite, before any selection.
        catalog: The installed plugins.
        cells: The planned cells by id.

    Raises:
        SuiteError: A reference has an unknown name or metric, a value that the metric cannot have, or a setting that no
            block of the suite has.
    """
    if not suite.references:
        return ()
    settings = _settings_of(suite, catalog)
    found = []
    for number, reference in enumerate(suite.references):
        try:
            wanted = _setting_of(reference, catalog)
            _check_value(reference, catalog.metric(reference.metric))
            if wanted not in settings:
                raise UsageError("no [[cells]] of this suite have this task, backbone, strategy and amount of data")
        except UsageError as error:
            raise SuiteError(f"suite {suite.name}: references[{number}]: {error}") from None
        repeating = [cell_id for cell_id, cell in cells.items() if _setting_of_cell(cell) == wanted]
        found += [Reference(cell_id, reference.score) for cell_id in repeating]
    return tuple(found)


def _settings_of(suite: Suite, catalog: Catalog) -> set[_Setting]:
    settings: set[_Setting] = set()
    for block in suite.cells:
        amounts = [_comparable(protocol) for protocol in suite.protocols_of(block)]
        tasks = [catalog.task(name).ref.name for name in block.tasks]
        backbones = [catalog.backbone(name).ref.name for name in block.backbones]
        for strategy in map(catalog.strategy, block.strategies):
            used = backbones if strategy.item.uses_backbone else [""]
            settings |= {(task, one, strategy.ref.name, of) for task in tasks for one in used for of in amounts}
    return settings


def _setting_of(reference: SuiteReference, catalog: Catalog) -> _Setting:
    backbone = catalog.backbone(reference.backbone).ref.name if reference.backbone else ""
    task, strategy = catalog.task(reference.task).ref.name, catalog.strategy(reference.strategy).ref.name
    return task, backbone, strategy, reference.amount


def _setting_of_cell(cell: Cell) -> _Setting:
    return cell.task.name, cell.backbone.name if cell.backbone else "", cell.strategy.name, _comparable(cell.protocol)


def _comparable(protocol: Protocol) -> Amount:
    """Returns a protocol's amount of data without what a reference does not state."""
    amount = protocol.amount
    return Amount(amount.limit, amount.shots, amount.fraction)


def _check_value(reference: SuiteReference, metric: Metric) -> None:
    value, low, high = reference.value, metric.lowest, metric.highest
    hint = "; write points of 100 as a share of 1" if metric.in_points else ""
    if low is not None and value < low:
        raise UsageError(f"{metric.name} is {low:g} or more, not {value:g}{hint}")
    if high is not None and value > high:
        raise UsageError(f"{metric.name} is {high:g} or less, not {value:g}{hint}")
