"""Runs the finalists as ordinary cells, whose records any leaderboard of the folder shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell, Plan
from tlbench.contracts.executor import Executor
from tlbench.contracts.policies.policy import Proposal
from tlbench.contracts.record import Record
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.clock import Clock
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.finals.finalists import SAFETY, Finalist, Finals
from tlbench.finding.finals.replaced_cells import carry_models, models_of, remove_cell
from tlbench.finding.finals.rest_of_time import MOST_SEEDS, next_finalist
from tlbench.finding.find_folder import FindFolder, saved_folder
from tlbench.finding.reserve import USED, final_seconds, late_seconds
from tlbench.results.records.store import Store
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.executors.time_alarm import Alarm, alarm_after
from tlbench.running.run import Settings, pending_attempts, run

MARGIN_SECONDS, MARGIN_SHARE = 1.5, 0.02
"""Time that is kept for the answer: at least so many seconds, or this share of the budget, if that is less."""
LEAST_SECONDS = 0.3
"""With less time than this, no final fit is begun."""
FASTEST, SLOWEST = 0.3, 2.0
"""Bounds of how far the time of final fits is taken to be off."""
CANCEL_SECONDS = 1.0
"""How long an order may take to end once it is cancelled, before nothing more is waited for."""


@dataclass
class FinalRuns:
    """Runs the finalists of one search."""

    store: Store
    catalog: Catalog
    executor: Executor
    settings: Settings
    folder: FindFolder
    clock: Clock
    seconds: float
    """The whole budget."""
    entries: Sequence[Entry]
    on_start: Callable[[Finalist], None]
    """Called with each finalist before its fits begin."""
    costs: Costs
    records: dict[int, Record] = field(default_factory=dict)
    """The records of finalists by the number of their fit."""
    _made: set[str] = field(default_factory=set)
    """The ids of the cells that had no record before."""
    _pace: float = 1.0
    """The seconds that the last final fits of a backbone took, as a share of what they were expected to take."""

    def run(self, finals: Finals) -> dict[int, Record]:
        """Runs the finalists that have no record yet, one after the other, and returns their records by fit number.

        A finalist that runs out of time is scored at the seeds that were finished; one for which no time is left has no
        record. In the time that is left, finalists and rivals get further seeds.

        Raises:
            StoreError: A record could not be stored.
        """
        for place, finalist in enumerate(finals.finalists):
            self._run_planned(finalist, is_winner=place == 0)
        done = {fit: _seeds(record) for fit, record in self.records.items()}
        while True:
            is_little_used = self.clock.elapsed < USED * self.seconds
            more = next_finalist(finals, done, self._price, self._left, is_little_used)
            if more is None:
                return self.records
            done[more.fit] = self._run_more(more)

    def _expected(self, one: Finalist, seeds: int) -> float:
        workers = max(1, self.executor.capacity().workers)
        return final_seconds(Proposal(one.candidate, one.params), self.costs, workers, seeds)

    def _price(self, one: Finalist, seeds: int) -> float:
        return SAFETY * self._pace * self._expected(one, seeds)

    @property
    def _left(self) -> float:
        return self.seconds - margin_seconds(self.seconds) - self.clock.elapsed

    @property
    def _left_late(self) -> float:
        """The seconds until nothing is waited for any more, not even the winner's first test score."""
        return self.seconds + late_seconds(self.seconds) - self.clock.elapsed

    def _run_planned(self, finalist: Finalist, is_winner: bool) -> None:
        if (known := self._known(finalist)) is not None:
            self.records[finalist.fit] = known
            return
        left = self._left
        # An answer without a test score is worth little.
        if is_winner and (left < LEAST_SECONDS or len(finalist.seeds) == 1):
            finalist, left = msgspec.structs.replace(finalist, seeds=finalist.seeds[:1]), self._left_late
        if left < LEAST_SECONDS:
            return
        self.on_start(finalist)
        record = self._run(finalist, left)
        if record is not None:
            self.records[finalist.fit] = record

    def _run_more(self, finalist: Finalist) -> int:
        """Runs a finalist at more seeds; returns how many it has then, or `MOST_SEEDS` to leave it alone."""
        if (known := self._known(finalist)) is not None:
            self.records[finalist.fit] = known
            return _seeds(known)
        before = self.records.get(finalist.fit)
        self.on_start(finalist)
        record = self._run(finalist, self._left, before)
        if record is None or record.status != "ok":
            return MOST_SEEDS
        self.records[finalist.fit] = record
        if before is not None and before.cell.id in self._made and before.cell.id != record.cell.id:
            remove_cell(self.store, before.cell.id)
        return _seeds(record) if record.cell.protocol.seeds == finalist.seeds else MOST_SEEDS

    def _run(self, finalist: Finalist, left: float, before: Record | None = None) -> Record | None:
        entry, began = self.entries[finalist.candidate], self.clock.elapsed
        cell = entry.fixed(finalist.params, finalist.seeds)
        record = self._run_cell(cell, finalist, left, before)
        if record is not None and record.status == "ok" and entry.backbone is not None:
            seeds = len(finalist.seeds) - (len(before.fits) if before is not None else 0)
            pace = (self.clock.elapsed - began) / self._expected(finalist, max(1, seeds))
            self._pace = min(SLOWEST, max(FASTEST, pace))
        if record is None or record.status != "timeout":
            return record
        # What the seeds that are finished gave is on disk, and reused by the cell that has these seeds alone.
        done = sorted(one.seed for one in CellFolder(self._work(record)).finals() if one.status == "ok")
        late = self._left_late
        if done and len(done) < len(finalist.seeds) and late > LEAST_SECONDS:
            fewer = entry.fixed(finalist.params, tuple(done))
            if before is None or before.cell.id != fewer.id:
                again = self._run_cell(fewer, finalist, late, record)
                before = again if again is not None and again.status == "ok" else before
        if cell.id in self._made:
            # The answer has the reason, and a leaderboard no use for it.
            remove_cell(self.store, cell.id)
        return before or record

    def _run_cell(self, cell: Cell, finalist: Finalist, left: float, before: Record | None) -> Record | None:
        """Runs a cell that reuses the fits of an earlier record, if there is one, and returns its record."""
        protocol = msgspec.structs.replace(cell.protocol, max_seconds=round(left, 1))
        cell = msgspec.structs.replace(cell, protocol=protocol)
        if self.store.record(cell.id) is None:
            self._made.add(cell.id)
        plan = Plan("find", (cell,), (), ())
        capacity = self.executor.capacity()
        attempts = pending_attempts(plan, self.store, self.catalog, self.settings, capacity)
        for attempt in attempts:
            work = Path(attempt.folder)
            if attempt.fault or work.exists():
                continue
            if before is not None:
                carry_models(models_of(self.store, before), CellFolder(work).root, cell.id)
            hand_over(self.folder.fit_folder(finalist.fit), work)
        try:
            # Starting a worker is not part of the cell's time, and may take longer than is left.
            with alarm_after(left + CANCEL_SECONDS if capacity.isolated else None):
                run(plan, attempts, self.store, self.catalog, self.settings, self.executor)
        except Alarm:
            return None
        return self.store.record(cell.id)

    def _known(self, finalist: Finalist) -> Record | None:
        """Returns the record with the most seeds of a finalist, at least as many as it is to have; None if none has."""
        entry = self.entries[finalist.candidate]
        for seeds in range(max(MOST_SEEDS, len(finalist.seeds)), len(finalist.seeds) - 1, -1):
            record = self.store.record(entry.fixed(finalist.params, tuple(range(seeds))).id)
            if record is not None and record.status == "ok":
                return record
        return None

    def _work(self, record: Record) -> Path:
        return self.store.work(record.cell.id, record.attempt)


def hand_over(fit_folder: Path, cell_folder: Path) -> None:
    """Moves the saved weights of a fit of the search to the folder of the cell that has it as a final fit.

    The final fit of the first seed then loads them, if they give the same validation score as before.
    """
    saved = saved_folder(fit_folder)
    if not saved.is_dir() or (cell_folder / saved.name).exists():
        return
    target = CellFolder(cell_folder)
    target.save_trials(CellFolder(fit_folder).trials()[-1:])
    shutil.move(saved, cell_folder / saved.name)


def margin_seconds(seconds: float) -> float:
    """Returns the seconds of a budget that the finals leave for the answer."""
    return min(MARGIN_SECONDS, seconds / 10) + MARGIN_SHARE * seconds / 2


def _seeds(record: Record) -> int:
    """Returns the number of seeds that are scored; `MOST_SEEDS` for a cell that failed, which is not tried again."""
    return len(record.fits) if record.status == "ok" else MOST_SEEDS
