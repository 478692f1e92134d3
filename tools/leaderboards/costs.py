"""Estimates the seconds of work of planned cells from the cells that were measured before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.contracts.record import PAID, FitResult, Record
from tlbench.results.records.store import Store
from tlbench.running.longest_first import fit_cost


class MeasuredCosts:
    """Seconds of measured cells, and estimates for cells that are like them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._seconds: dict[str, float] = {}
        self._totals: dict[Hashable, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, folder: Path) -> None:
        """Adds the cells of a folder of results."""
        for record in Store.open(folder).records():
            seconds = work_seconds(record)
            self._seconds[record.cell.id] = seconds
            if record.status == "ok":
                for key, cost in self._costs(record.cell):
                    self._totals[key][0] += seconds
                    self._totals[key][1] += cost

    def measured(self, cell: Cell) -> float | None:
        """Returns the seconds of work of a cell that has a record, or None."""
        return self._seconds.get(cell.id)

    def estimate(self, cell: Cell) -> float | None:
        """Returns the estimated seconds of work of a cell; None if no measured cell has its strategy.

        The estimate is from cells of the same task, backbone and strategy, or else of the task and strategy, or else
        of the strategy, in proportion to the number of fits, the examples they see and the size of the backbone.
        """
        for key, cost in self._costs(cell):
            seconds, costs = self._totals.get(key, (0.0, 0.0))
            if costs:
                return seconds * cost / costs
        return None

    def _costs(self, cell: Cell) -> Iterator[tuple[Hashable, float]]:
        """Yields what a cell shares with cells that are measured, the most alike first, and its cost beside theirs."""
        fits = cell.protocol.trials * (cell.protocol.folds or 1) + len(cell.protocol.seeds)
        backbone = cell.backbone.name if cell.backbone else None
        cost = fit_cost(cell, self._catalog) if backbone else None
        # Without a known size, fits are compared by their number, and with fits of such cells alone.
        unit, size = ("fits", 1.0) if cost is None else ("work", cost)
        task, strategy = cell.task.name, cell.strategy.name
        for key in ((task, backbone, strategy), (task, strategy), (strategy,)):
            yield (unit, *key), size * fits


def work_seconds(record: Record) -> float:
    """Returns the time that the fits of a cell took together, without the waiting of its worker."""
    searched = sum(_paid(fit) for fit in record.trials)
    # The winner's fit of the search is the final fit of its seed, which is listed a second time.
    final = sum(_paid(fit) for fit in record.fits if fit.purpose == "final")
    return searched + final + sum(fit.predict_seconds for fit in record.fits)


def _paid(fit: FitResult) -> float:
    return float(sum(getattr(fit, name) for name in PAID))

