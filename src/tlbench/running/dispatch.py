"""Orders of many cells on their way through one executor: which comes next, who was lost, what took too long."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import StoreError, UsageError
from tlbench.contracts.executor import Executor, FitOrder, Handle, OutOfTime, WorkerLost
from tlbench.contracts.record import Record, Status
from tlbench.running.cells.attempt import Attempt, Means
from tlbench.running.cells.cell_run import CellRun

ATTEMPTS = 3
"""A worker may be killed by anybody; only an order that loses as many in a row is given up, and its cell with it."""
SPARE = 2
"""Cells that may be open beyond the number of workers: others are left to a second run in the same folder."""
LEASE_PAUSE_SECONDS = 0.5
"""Between two tries to take a cell that another run has."""
Delivered = Callable[[Record, Path], None]


@dataclass(frozen=True)
class Progress:
    """What a cell in work is at."""

    title: str
    phase: str
    since: float
    """Seconds since it was taken up."""


@dataclass
class _Sent:
    run: CellRun
    order: FitOrder
    deadline: float | None
    is_late: bool = False


class Dispatcher:
    """Keeps an executor busy with the fits of open cells, and opens no more cells than that takes."""

    def __init__(self, executor: Executor, catalog: Catalog, means: Means, deliver: Delivered) -> None:
        self._executor, self._catalog, self._means, self._deliver = executor, catalog, means, deliver
        capacity = executor.capacity()
        self._workers, self._isolated = max(1, capacity.workers), capacity.isolated
        self._waiting: deque[Attempt] = deque()
        self._open: list[CellRun] = []
        self._since: dict[CellRun, float] = {}
        self._sent: dict[Handle, _Sent] = {}
        self._unlucky: set[CellRun] = set()
        """Cells whose last order was lost: others go first, so that where kills come often, something gets done."""

    def run(self, attempts: Sequence[Attempt]) -> None:
        """Returns when every cell has its record.

        Raises:
            UsageError: Something that no cell is to blame for: a full disk, a device that is not there.
        """
        self._waiting.extend(attempts)
        try:
            while self._waiting or self._open:
                self._fill()
                self._settle()
                if self._sent:
                    self._collect(self._executor.wait(list(self._sent), self._patience()))
                elif self._waiting and not self._open:
                    time.sleep(LEASE_PAUSE_SECONDS)  # all that is left is another run's for now
                self._stop_what_is_late()
                self._settle()
        finally:
            for run in self._open:
                run.close()

    def progress(self) -> list[Progress]:
        """Returns how far each cell is of which a worker has an order."""
        now = time.monotonic()
        runs = list(dict.fromkeys(sent.run for sent in tuple(self._sent.values())))
        return [Progress(run.cell.title, run.phase, now - self._since.get(run, now)) for run in runs]

    def _fill(self) -> None:
        """Sends orders until every worker has one: of open cells first, so that what they share is used."""
        while len(self._sent) < self._workers:
            if not (self._send_from(False) or self._open_one() or self._send_from(True)):
                return

    def _send_from(self, unlucky: bool) -> bool:
        """Sends an order of an open cell; returns whether there was one."""
        return any(self._send_one(run) for run in tuple(self._open) if (run in self._unlucky) == unlucky)

    def _send_one(self, run: CellRun) -> bool:
        order = run.take()
        if order is None:
            return False
        left = run.seconds_left
        if left is not None and left <= 0:
            run.end("timeout", _too_long(run), order=order)
            return False
        order = msgspec.structs.replace(order, seconds=left)
        run.sent(order)
        if not self._isolated:
            run.begin(order)  # it is carried out while it is submitted
        try:
            handle = self._executor.submit(order)
        except UsageError:
            raise
        except Exception as error:
            run.end("crashed", f"the executor took no order: {type(error).__name__}: {error}", order=order)
            return False
        if self._isolated:
            run.begin(order)  # starting the first worker takes seconds that are no cell's
        self._sent[handle] = _Sent(run, order, None if left is None else time.monotonic() + left)
        return True

    def _open_one(self) -> bool:
        """Opens the next cell that no other run has, if there are not enough; returns whether there was one."""
        if len(self._open) > self._workers + SPARE:
            return False
        for _ in range(len(self._waiting)):
            attempt = self._waiting.popleft()
            try:
                run = CellRun.open(attempt, self._catalog, self._means)
            except OSError as error:
                raise StoreError(f"{attempt.folder}: {error.strerror or error}") from error
            if run is None:
                self._waiting.append(attempt)
                continue
            self._open.append(run)
            self._since[run] = time.monotonic()
            return True
        return False

    def _collect(self, handles: set[Handle]) -> None:
        for handle in handles:
            sent = self._sent.pop(handle, None)
            if sent is None:
                continue  # an executor may name a handle twice
            run, order = sent.run, sent.order
            try:
                answer = handle.result()
            except OutOfTime:
                run.end("timeout", _too_long(run), order=order)
            except WorkerLost as lost:
                self._lost(sent, lost)
            except UsageError:
                raise
            except Exception as error:
                run.end("crashed", f"the executor broke: {type(error).__name__}: {error}", order=order)
            else:
                if answer.ends_run:
                    raise StoreError(answer.error)
                self._unlucky.discard(run)
                run.tell(order, answer)

    def _lost(self, sent: _Sent, lost: WorkerLost) -> None:
        run, order = sent.run, sent.order
        if sent.is_late:
            run.end("timeout", _too_long(run), order=order)
        elif order.attempt >= ATTEMPTS:
            status: Status = "oom" if lost.oom else "crashed"
            run.end(status, f"the worker {lost} {order.attempt} times without getting further", order=order)
        else:
            run.give_back(order, in_parts=lost.oom)
            self._unlucky.add(run)

    def _stop_what_is_late(self) -> None:
        now = time.monotonic()
        for handle, sent in self._sent.items():
            if sent.deadline is not None and now >= sent.deadline and not sent.is_late:
                sent.is_late = True
                handle.cancel()

    def _settle(self) -> None:
        """Delivers the records of cells that have one; what is still in work for them is of no use any more."""
        for run in [run for run in self._open if run.record is not None]:
            for handle, sent in self._sent.items():
                if sent.run is run and not sent.is_late:
                    sent.is_late = True
                    handle.cancel()
            if any(sent.run is run for sent in self._sent.values()):
                continue
            self._open.remove(run)
            self._unlucky.discard(run)
            del self._since[run]
            assert run.record is not None
            try:
                self._deliver(run.record, Path(run.attempt.folder))
            finally:
                run.close()

    def _patience(self) -> float:
        """Returns for how long to wait: not beyond the next deadline, nor for ever where cells may become free."""
        now = time.monotonic()
        until = [sent.deadline - now for sent in self._sent.values() if sent.deadline is not None and not sent.is_late]
        return max(0.0, min([1.0, *until]))


def _too_long(run: CellRun) -> str:
    return f"stopped after {run.cell.protocol.max_seconds:g} s (max_seconds)"
