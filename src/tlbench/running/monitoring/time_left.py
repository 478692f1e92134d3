"""Estimates how long the rest of a run takes, from the times of its fits and of those of earlier runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tlbench.contracts.cell import Cell
from tlbench.contracts.executor import FitOrder
from tlbench.running.monitoring.fit_times import Expected, FitTimes, fit_kind
from tlbench.running.monitoring.order_progress import OrderProgress

OVERRUN = 1.25
"""An order that has taken longer than expected is now expected to take this factor times the time it has taken."""


@dataclass(frozen=True)
class Remaining:
    """The estimated time until all cells are finished."""

    seconds: float
    is_rough: bool
    """Whether the estimate is partly computed from the times of earlier runs or of fits of other kinds."""


@dataclass
class _CellWork:
    """The fits that a cell still has to submit."""

    cell: Cell
    trials: int
    seeds: set[int] = field(default_factory=set)
    has_score: bool = True

    @classmethod
    def of(cls, cell: Cell) -> _CellWork:
        protocol = cell.protocol
        return cls(cell, protocol.trials if protocol.is_searched else 0, set(protocol.seeds))

    def submit(self, order: FitOrder) -> None:
        """Removes the fits of an order, and those that must have been submitted before it."""
        if order.purpose == "search":
            # Trials are submitted by number; those that an interrupted run finished are not submitted again.
            last = max((fit.trial for fit in order.fits), default=0)
            self.trials = min(self.trials, self.cell.protocol.trials - last - 1)
            return
        self.trials = 0
        self.seeds -= {fit.seed for fit in order.fits}
        if order.purpose == "score":
            self.seeds, self.has_score = set(), False


class TimeLeft:
    """Estimates the time left of a run. Its methods may be called from several threads."""

    def __init__(
        self,
        cells: Iterable[Cell],
        workers: int,
        times: FitTimes,
        place: str,
        parallel: Callable[[Cell], int],
        cost: Callable[[Cell], float | None] = lambda cell: None,
    ) -> None:
        """Starts with all cells unfinished.

        Args:
            cells: The cells of the run.
            workers: Number of workers.
            times: The times of fits in this and earlier runs; `finish` adds to them.
            place: Device and threads of the workers, such as `cpu:1`.
            parallel: Returns how many fits of a cell can run at the same time.
            cost: Returns the cost of a cell's fit relative to those of other cells, or None if it is unknown; used for
                cells to which no measured fit is similar.
        """
        self._work = {cell.id: _CellWork.of(cell) for cell in cells}
        self._workers, self._times, self._place = max(1, workers), times, place
        self._parallel, self._cost = parallel, cost
        self._open: set[str] = set()
        """Ids of the cells that have submitted an order. For the other cells all work is left; its time is kept in
        `_closed`, and computed again when an order or a cell has ended."""
        self._costs: dict[str, float | None] = {}
        self._rate = (0.0, 0.0)
        """Total seconds and total relative cost of the finished fits of cells with a backbone."""
        self._closed: list[tuple[float, float, bool] | None] | None = None
        self._lock = threading.Lock()

    def finish(self, order: FitOrder, seconds: float) -> None:
        """Adds the time in seconds that an order took, from its submission to its result."""
        cell, fits = order.cell, max(1, len(order.fits))
        with self._lock:
            self._times.add(fit_kind(cell, order.purpose, self._place), seconds, fits)
            self._submit(order)
            if order.purpose != "score" and cell.backbone is not None and (cost := self._cost_of(cell)):
                self._rate = self._rate[0] + seconds, self._rate[1] + cost * fits
            self._closed = None

    def end(self, cell_id: str) -> None:
        """Removes a cell that has its record."""
        with self._lock:
            self._work.pop(cell_id, None)
            self._open.discard(cell_id)
            self._closed = None

    def remaining(self, running: Sequence[OrderProgress] = ()) -> Remaining | None:
        """Returns the estimated time until all cells are finished; None if there is nothing to estimate it from.

        Args:
            running: The orders that workers are carrying out.
        """
        with self._lock:
            by_cell: dict[str, list[OrderProgress]] = {}
            for progress in running:
                by_cell.setdefault(progress.order.cell.id, []).append(progress)
                self._submit(progress.order)
            if self._closed is None:
                self._closed = [self._needed(work) for id_, work in self._work.items() if id_ not in self._open]
            parts = [*self._closed, *(self._needed(self._work[id_], by_cell.get(id_, ())) for id_ in self._open)]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts) or (not known and self._work):
            return None
        total = sum(seconds for seconds, _, _ in known) / self._workers
        # A single cell can't use more workers than it has fits at the same time.
        longest = max((seconds for _, seconds, _ in known), default=0.0)
        return Remaining(max(total, longest), any(is_rough for _, _, is_rough in known))

    def _submit(self, order: FitOrder) -> None:
        work = self._work.get(order.cell.id)
        if work is None:
            return
        work.submit(order)
        if order.cell.id not in self._open:
            self._open.add(order.cell.id)
            self._closed = None

    def _needed(self, work: _CellWork, running: Sequence[OrderProgress] = ()) -> tuple[float, float, bool] | None:
        """Returns how long the rest of a cell takes, or None if there is nothing to estimate it from.

        Returns the seconds of all its fits together, the seconds until the cell is finished if it has all the workers
        that it can use, and whether the estimate is rough.
        """
        total, is_rough = 0.0, False
        # A fit is expected to take at least as long as a running one with the same purpose has already taken.
        at_least: dict[str, float] = {one.order.purpose: one.seconds / max(1, len(one.order.fits)) for one in running}
        counts = {"search": work.trials, "final": len(work.seeds), "score": int(work.has_score)}
        for purpose, count in counts.items():
            if not count:
                continue
            expected = self._expected(work.cell, purpose)
            if expected is None:
                return None
            total += count * max(expected.seconds, at_least.get(purpose, 0.0))
            is_rough |= not expected.is_measured
        for one in running:
            expected = self._expected(work.cell, one.order.purpose)
            if expected is None:
                return None
            whole = expected.seconds * max(1, len(one.order.fits))
            total += max(whole, OVERRUN * one.seconds if one.seconds > whole else 0.0) - one.seconds
            is_rough |= not expected.is_measured
        parallel = min(self._workers, self._parallel(work.cell))
        return total, total / max(1, parallel), is_rough

    def _expected(self, cell: Cell, purpose: str) -> Expected | None:
        if expected := self._times.expected(fit_kind(cell, purpose, self._place)):
            return expected
        # Until they are measured, baselines and scoring count as 0 s, since they take little time compared to fits.
        if cell.backbone is None or purpose == "score":
            return Expected(0.0, is_measured=True)
        # Without times of similar final fits, a final fit is expected to take as long as a trial, and vice versa.
        for other in ("search", "final"):
            if expected := self._times.expected(fit_kind(cell, other, self._place)):
                return Expected(expected.seconds, is_measured=False)
        seconds, cost = self._rate
        own = self._cost_of(cell)
        return Expected(seconds / cost * own, is_measured=False) if cost and own is not None else None

    def _cost_of(self, cell: Cell) -> float | None:
        if cell.id not in self._costs:
            self._costs[cell.id] = self._cost(cell)
        return self._costs[cell.id]
