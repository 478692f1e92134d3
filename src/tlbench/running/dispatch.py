"""The dispatcher: submits orders to one executor, resubmits those whose worker was lost, and enforces time limits."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import StoreError, UsageError
from tlbench.contracts.executor import Executor, FitOrder, Handle, OutOfTime, WorkerLost
from tlbench.contracts.record import Record
from tlbench.running.cells.attempt import Attempt, OrderDefaults
from tlbench.running.cells.cell_run import CellRun
from tlbench.running.cells.failures import raise_if_disk_full
from tlbench.running.interruption import DRAIN_SECONDS, Interruption
from tlbench.running.monitoring.order_progress import OrderProgress
from tlbench.running.open_cell import open_cell

MAX_ATTEMPTS = 3
"""Number of times that an order may lose its worker before the order's cell fails. It is more than one because a worker
may be killed for reasons that have nothing to do with the order."""
EXTRA_OPEN_CELLS = 2
"""Number of cells that may be open in addition to one per worker. All other cells stay closed, so that a second run in
the same folder can take them."""
LEASE_RETRY_SECONDS = 0.5
"""Pause in seconds before trying again to take the lease of a cell that another run has open."""
CommitRecord = Callable[[Record, Path], None]
GiveUp = Callable[[Attempt, str], None]
"""Called with an attempt that cannot even be recorded as failed, and the reason in one line."""
OnFinished = Callable[[FitOrder, float], None]
"""Called with each order that a worker has answered, and the seconds since the order was submitted."""
_log = logging.getLogger(__name__)


@dataclass
class _InFlight:
    run: CellRun
    order: FitOrder
    worker: int
    """Number of the worker, from 1, for display."""
    began: float
    is_cancelled: bool = False
    has_clock: bool = False
    """Whether the cell's clock runs for the order; not while the order waits in a cluster's queue."""

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the time limit; None without one. Those of a search shrink if trials turn out to be long."""
        return self.run.seconds_left(self.order.purpose)


class Dispatcher:
    """Keeps all workers of an executor busy with orders of open cells, and opens only as many cells as needed."""

    def __init__(
        self,
        executor: Executor,
        catalog: Catalog,
        defaults: OrderDefaults,
        commit: CommitRecord,
        give_up: GiveUp = lambda attempt, reason: None,
        on_finished: OnFinished = lambda order, seconds: None,
        on_stopping: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_stopping, self._is_draining = on_stopping, False
        self._executor, self._catalog, self._defaults, self._commit = executor, catalog, defaults, commit
        self._give_up, self._on_finished = give_up, on_finished
        self._isolated = executor.capacity().isolated
        self._pending: deque[Attempt] = deque()
        self._open: list[CellRun] = []
        self._in_flight: dict[Handle, _InFlight] = {}
        self._submitting: _InFlight | None = None
        """The order that is being submitted: an executor in this process carries it out meanwhile."""
        self._lost_worker: set[CellRun] = set()
        """Cells whose most recent order lost its worker. Their orders are submitted after those of all other cells, so
        that a cell that keeps killing its workers does not hold up the others."""

    def run(self, attempts: Sequence[Attempt]) -> None:
        """Runs the attempts, and returns when every cell has its record.

        Raises:
            UsageError: An error that is no cell's fault, such as a full disk or a missing device.
        """
        self._pending.extend(attempts)
        with Interruption() as interruption:
            try:
                self._run(interruption)
                if interruption.requested:
                    self._drain()
            except KeyboardInterrupt:
                if not self._is_draining:
                    self._drain()
                raise
            finally:
                # Also after Ctrl-C or a full disk: a later run in this process must be able to take the leases.
                for run in self._open:
                    run.close()
        interruption.finish()

    def _run(self, interruption: Interruption) -> None:
        while (self._pending or self._open) and not interruption.requested:
            # Give each free worker an order: of open cells first, then of a cell that is opened for it.
            # Submitting may wait for imports or, in this process, for a whole fit: Ctrl-C ends it at once.
            with interruption.at_once():
                self._submit_orders()
            # Opening a cell or asking it for an order may already have ended it, for example by an error in a
            # plugin. Such a record is committed before waiting, since nothing that is in flight announces it.
            self._commit_finished()
            if self._in_flight:
                # Wait until an order ends, or for a second: time limits and leases have to be looked at now and then.
                self._collect(self._executor.wait(list(self._in_flight), self._wait_seconds()))
            elif self._pending or self._open:
                # Other runs hold the leases of all cells that are left, or make the fits that open cells wait for, or
                # all machines of the executor have left: whether that changes can only be polled.
                time.sleep(LEASE_RETRY_SECONDS)
            # Cancel orders over their time limit. `wait` returns them in one of the next rounds like any other.
            self._start_clocks()
            self._cancel_overdue()
            # Commit what has ended in this round before the free workers are filled again: a kill from now on costs
            # none of it.
            self._commit_finished()

    def _drain(self) -> None:
        """Stores the results that come within seconds; orders that are still running then are lost."""
        self._is_draining = True
        self._on_stopping()
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._in_flight and (left := deadline - time.monotonic()) > 0:
            self._collect(self._executor.wait(list(self._in_flight), min(left, 1.0)))
            self._commit_finished()

    @property
    def _workers(self) -> int:
        """Number of workers now: machines may join and leave during a run."""
        return self._executor.capacity().workers

    def progress(self) -> list[OrderProgress]:
        """Returns the orders that workers are carrying out."""
        now = time.monotonic()
        # The live view calls this from its own thread, hence the copy.
        sent = [*self._in_flight.values()]
        if (submitting := self._submitting) is not None and submitting not in sent:
            sent.append(submitting)
        return [OrderProgress(one.order, one.worker, now - one.began) for one in sent]

    def _submit_orders(self) -> None:
        """Submits orders until every worker has one or no cell has an order to submit."""
        while len(self._in_flight) < self._workers:
            # Open cells come first, so that what their fits share is used: loaded weights, cached activations. Cells
            # that lost a worker come only after a new one was tried.
            if not (self._submit_of_open(False) or self._open_next() or self._submit_of_open(True)):
                return

    def _submit_of_open(self, lost_worker: bool) -> bool:
        """Submits one order of an open cell and returns whether there was one.

        With `lost_worker`, only cells whose most recent order lost its worker are considered; without it, only the
        others.
        """
        return any(self._submit_one(run) for run in tuple(self._open) if (run in self._lost_worker) == lost_worker)

    def _submit_one(self, run: CellRun) -> bool:
        order = run.next_order()
        if order is None:
            return False
        left = run.seconds_left(order.purpose)
        if left is not None and left <= 0:
            run.run_out_of_time(order)
            return False
        order = msgspec.structs.replace(order, seconds=left)
        try:
            run.before_submit(order)
        except OSError as error:
            raise_if_disk_full(error, run.attempt.folder)
            run.fail("failed", f"{run.attempt.folder}: {error.strerror or error}", order=order)
            return False
        # An executor in this process carries the order out within `submit`, so the cell's clock starts before. Other
        # executors may start a worker within `submit`, which takes seconds; their clock starts after it.
        if not self._isolated:
            run.start_clock(order)
        busy = {sent.worker for sent in self._in_flight.values()}
        worker = next(number for number in range(1, len(busy) + 2) if number not in busy)
        sent = self._submitting = _InFlight(run, order, worker, time.monotonic())
        _log.info("%s: %s on worker %d", run.cell.title, OrderProgress(order, worker, 0.0).phase, worker)
        try:
            handle = self._executor.submit(order)
        except UsageError:
            raise
        except Exception as error:
            # Executors come from plugins too; an error of one ends the cell, not the run.
            run.fail("crashed", f"the executor took no order: {type(error).__name__}: {error}", order=order)
            return False
        finally:
            self._submitting = None
        self._in_flight[handle] = sent
        sent.has_clock = not self._isolated
        self._start_clocks()
        return True

    def _start_clocks(self) -> None:
        """Starts the clock for each order that a worker has begun since."""
        for handle, sent in self._in_flight.items():
            if not sent.has_clock and getattr(handle, "has_begun", True):
                sent.has_clock = True
                sent.run.start_clock(sent.order)

    def _open_next(self) -> bool:
        """Opens the next pending cell that no other run has open, unless enough cells are already open.

        Returns whether a cell was opened.
        """
        if len(self._open) >= self._workers + EXTRA_OPEN_CELLS:
            return False
        for _ in range(len(self._pending)):
            attempt = self._pending.popleft()
            if attempt.fault:
                self._give_up(attempt, attempt.fault)
                continue
            sharing = self._defaults.sharing
            if sharing is not None and sharing.is_recorded_elsewhere(attempt.cell.id, attempt.number):
                continue
            try:
                run = open_cell(attempt, self._catalog, self._defaults)
            except OSError as error:
                raise_if_disk_full(error, attempt.folder)
                # Nothing can be written for this cell; the others have folders of their own.
                self._give_up(attempt, f"{attempt.folder}: {error.strerror or error}")
                continue
            if run is None:
                # Another run has it open; try again after all others.
                self._pending.append(attempt)
                continue
            self._open.append(run)
            return True
        return False

    def _collect(self, handles: set[Handle]) -> None:
        """Passes the result of each order that has ended to the order's cell."""
        for handle in handles:
            sent = self._in_flight.pop(handle, None)
            if sent is None:
                continue  # an executor may return a handle twice
            run, order = sent.run, sent.order
            try:
                answer = handle.result()
            except OutOfTime:
                run.run_out_of_time(order)
            except WorkerLost as lost:
                self._retry(sent, lost)
            except UsageError:
                raise
            except Exception as error:
                run.fail("crashed", f"the executor broke: {type(error).__name__}: {error}", order=order)
            else:
                if answer.ends_run:
                    raise StoreError(answer.error)
                self._lost_worker.discard(run)
                self._on_finished(order, time.monotonic() - sent.began)
                run.tell(order, answer)

    def _retry(self, sent: _InFlight, lost: WorkerLost) -> None:
        """Queues an order again after its worker was lost.

        If the order was cancelled at its time limit, or has lost its worker too many times, its cell is ended instead.
        """
        run, order = sent.run, sent.order
        if sent.is_cancelled:
            # Cancelling kills the worker of an isolated executor, so the worker was lost because of the time limit.
            run.run_out_of_time(order)
        elif lost.oom:
            _log.warning("%s: the worker %s", run.cell.title, lost)
            run.run_out_of_memory(order, f"the worker {lost}")
            self._lost_worker.add(run)
        elif order.attempt >= MAX_ATTEMPTS:
            run.fail("crashed", f"the worker {lost} {order.attempt} times without getting further", order=order)
        else:
            _log.warning("%s: the worker %s; its order is submitted again", run.cell.title, lost)
            # A lost worker says nothing about its fit, unless memory ran out.
            run.requeue(order)
            self._lost_worker.add(run)

    def _cancel_overdue(self) -> None:
        for handle, sent in self._in_flight.items():
            left = sent.seconds_left
            if left is not None and left <= 0 and not sent.is_cancelled:
                sent.is_cancelled = True
                handle.cancel()

    def _commit_finished(self) -> None:
        """Commits and closes cells that have a record, after cancelling their orders that are still in flight."""
        for run in [run for run in self._open if run.record is not None or run.is_taken]:
            for handle, sent in self._in_flight.items():
                if sent.run is run and not sent.is_cancelled:
                    sent.is_cancelled = True
                    handle.cancel()
            # The cell keeps its lease until its last worker is done: that one may still write to its folder.
            if any(sent.run is run for sent in self._in_flight.values()):
                continue
            self._open.remove(run)
            self._lost_worker.discard(run)
            if run.record is None:
                # Another driver ends it. If that one dies first, it is this one's turn again.
                run.close()
                self._pending.append(run.attempt)
                continue
            try:
                self._commit(run.record, Path(run.attempt.folder))
            finally:
                run.close()

    def _wait_seconds(self) -> float:
        """Returns how long to wait for results: until the next deadline, but at most a second."""
        left = [sent.seconds_left for sent in self._in_flight.values() if not sent.is_cancelled]
        return max(0.0, min([1.0, *(seconds for seconds in left if seconds is not None)]))
