"""Finds the data sets of a cell's task that its backbone was trained on, as far as backbone and task declare them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.data.dataset_names import shared_datasets


def seen_datasets(catalog: Catalog, cell: Cell) -> tuple[str, ...]:
    """Returns the data sets of a cell's task that its backbone was trained on, named as in the backbone's card.

    Empty for a strategy that does not use the pretrained weights.
    """
    if cell.backbone is None or catalog.strategy(cell.strategy.name).item.knows_nothing:
        return ()
    # A card that cannot be read must not stop a run, so it counts as naming no data set; `tlbench show` reports it.
    with suppress(Exception, SystemExit):
        trained_on = catalog.backbone(cell.backbone.name).item.card().trained_on
        return shared_datasets(trained_on, catalog.task(cell.task.name).item.datasets)
    return ()


def seen_by_backbone(catalog: Catalog, cells: Iterable[Cell]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Returns the names of the data sets that `seen_datasets` finds, for each pair of backbone and task with any."""
    first: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        if cell.backbone is not None and not catalog.strategy(cell.strategy.name).item.knows_nothing:
            first.setdefault((cell.backbone.name, cell.task.name), cell)
    found = {pair: seen_datasets(catalog, cell) for pair, cell in first.items()}
    return {pair: names for pair, names in found.items() if names}
