"""Finds the searches in a results folder, finished ones and those of a run in progress. Imports no Optuna."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import FitResult, Record
from tlbench.contracts.space import Choice, Domain, Float, Int, Space, Value, is_fixed
from tlbench.metrics import METRICS
from tlbench.results.records.deletion import stored_cells
from tlbench.results.records.record_files import read_record
from tlbench.results.records.store import Store
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.cells.hyperparameters import settings_of


@dataclass(frozen=True)
class StoredSearch:
    """The trials of one cell, and what is needed to show them."""

    cell: Cell
    metric: Metric
    space: Space
    """The domains of the hyperparameters that are searched."""
    trials: tuple[FitResult, ...]
    """The finished fits; of a trial that was fitted at several lengths, shorter ones first."""
    started: str = ""
    """When the cell was started, as its record says; empty for one without a record."""

    @property
    def name(self) -> str:
        """Name of the study: backbone, task, strategy and the first digits of the cell's id."""
        return f"{self.cell.title} | {self.cell.id[:8]}"


def stored_searches(store: Store, catalog: Catalog) -> Iterator[StoredSearch | Cell]:
    """Yields each search of a results folder that has a trial, in order of the cells' ids.

    A cell is yielded in place of its search if nothing says which scores are better, because the plugin of its metric
    is not installed.
    """
    for cell_id, stored in sorted(stored_cells(store.root).items()):
        newest = read_record(stored.records[0]) if stored.records else None
        if isinstance(newest, Record):
            cell: Cell | None = newest.cell
            trials: Sequence[FitResult] = newest.trials
        else:
            cell, _ = stored.read()
            trials = CellFolder(stored.work[0]).trials() if stored.work else ()
        if cell is None or cell.id != cell_id or not trials:
            continue
        record = newest if isinstance(newest, Record) else None
        found = _search(cell, tuple(trials), record, catalog)
        started = record.provenance.started if record else ""
        yield replace(found, started=started) if isinstance(found, StoredSearch) else found


def _search(cell: Cell, trials: tuple[FitResult, ...], record: Record | None, catalog: Catalog) -> StoredSearch | Cell:
    try:
        settings = settings_of(catalog, cell)
        space = {name: domain for name, domain in settings.space.items() if not is_fixed(domain)}
        return StoredSearch(cell, settings.metric, space, trials)
    # A plugin that is gone, or that raises: the trials themselves say enough.
    except (Exception, SystemExit):
        metric = METRICS.get(record.metrics[0]) if record is not None and record.metrics else None
        return cell if metric is None else StoredSearch(cell, metric, observed_space(trials), trials)


def observed_space(trials: Sequence[FitResult]) -> Space:
    """Returns domains that hold the values of trials, for hyperparameters with several values."""
    values: dict[str, list[Value]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            values.setdefault(name, []).append(value)
    found = {name: _observed_domain(list(dict.fromkeys(of_name))) for name, of_name in values.items()}
    return {name: domain for name, domain in found.items() if domain is not None}


def _observed_domain(values: list[Value]) -> Domain | None:
    if len(values) < 2:
        return None
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        return Choice(tuple(values))
    if all(isinstance(value, int) for value in numbers):
        return Int(int(min(numbers)), int(max(numbers)))
    return Float(float(min(numbers)), float(max(numbers)))
