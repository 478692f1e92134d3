"""Runs the finalists as ordinary cells, whose records any leaderboard of the folder shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell, Plan
from tlbench.contracts.executor import Executor
from tlbench.contracts.record import Record
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.clock import Clock
from tlbench.finding.finals.finalists import Finalist
from tlbench.finding.find_folder import FindFolder, saved_folder
from tlbench.results.records.store import Store
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.run import Settings, pending_attempts, run

MARGIN_SECONDS, MARGIN_SHARE = 1.5, 0.02
"""Time that is kept for the answer: at least so many seconds, or this share of the budget, if that is less."""
LATE_SECONDS, LATE_SHARE = 3.0, 0.015
"""How long after the deadline, in seconds or as a share of the budget, the winner's test scores are waited for."""


@dataclass(frozen=True)
class FinalRuns:
    """What final runs need besides the finalists."""

    store: Store
    catalog: Catalog
    executor: Executor
    settings: Settings
    folder: FindFolder
    clock: Clock
    seconds: float
    """The whole budget."""

    def run(
        self, finalists: Sequence[Finalist], entries: Sequence[Entry], on_start: Callable[[Finalist], None]
    ) -> dict[int, Record]:
        """Runs the finalists that have no record yet, one after the other, and returns their records by fit number.

        A finalist that runs out of time is scored at the seeds that were finished; one for which no time is left has no
        record. `on_start` is called with each before it begins.

        Raises:
            StoreError: A record could not be stored.
        """
        records: dict[int, Record] = {}
        for place, finalist in enumerate(finalists):
            entry = entries[finalist.candidate]
            left = self.seconds - margin_seconds(self.seconds) - self.clock.elapsed
            if place == 0:
                # An answer without a test score is worth little.
                left = self.seconds + max(LATE_SECONDS, LATE_SHARE * self.seconds) - self.clock.elapsed
            if (known := self._recorded(entry.fixed(finalist.params, finalist.seeds))) is not None:
                records[finalist.fit] = known
                continue
            if left <= 0:
                continue
            on_start(finalist)
            record = self._run(finalist, entry, left)
            if record is not None:
                records[finalist.fit] = record
        return records

    def _run(self, finalist: Finalist, entry: Entry, left: float) -> Record | None:
        cell = entry.fixed(finalist.params, finalist.seeds)
        record = self._run_cell(cell, finalist, left)
        if record is None or record.status != "timeout" or len(finalist.seeds) == 1:
            return record
        # What the seeds that are finished gave is on disk, and reused by the cell that has these seeds alone.
        done = sorted(one.seed for one in CellFolder(self._work(cell, record.attempt)).finals() if one.status == "ok")
        return self._run_cell(entry.fixed(finalist.params, tuple(done)), finalist, None) if done else record

    def _run_cell(self, cell: Cell, finalist: Finalist, left: float | None) -> Record | None:
        if left is not None:
            protocol = msgspec.structs.replace(cell.protocol, max_seconds=round(left, 1))
            cell = msgspec.structs.replace(cell, protocol=protocol)
        plan = Plan("find", (cell,), (), ())
        attempts = pending_attempts(plan, self.store, self.catalog, self.settings, self.executor.capacity())
        for attempt in attempts:
            if not attempt.fault:
                hand_over(self.folder.fit_folder(finalist.fit), Path(attempt.folder))
        run(plan, attempts, self.store, self.catalog, self.settings, self.executor)
        return self.store.record(cell.id)

    def _recorded(self, cell: Cell) -> Record | None:
        record = self.store.record(cell.id)
        return record if record is not None and record.status == "ok" else None

    def _work(self, cell: Cell, attempt: int) -> Path:
        return self.store.work(cell.id, attempt)


def hand_over(fit_folder: Path, cell_folder: Path) -> None:
    """Moves the saved weights of a fit of the search to the folder of the cell that has it as a final fit.

    The final fit of the first seed then loads them, if they give the same validation score as before.
    """
    saved = saved_folder(fit_folder)
    if not saved.is_dir() or cell_folder.exists():
        return
    target = CellFolder(cell_folder)
    target.save_trials(CellFolder(fit_folder).trials()[-1:])
    shutil.move(saved, cell_folder / saved.name)


def margin_seconds(seconds: float) -> float:
    """Returns the seconds of a budget that the finals leave for the answer."""
    return min(MARGIN_SECONDS, seconds / 10) + MARGIN_SHARE * seconds / 2
