"""Executors of the core: `inline` runs cells in this process, `isolated` in processes that may die alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import msgspec

from tlbench.catalog.hookspecs import hookimpl
from tlbench.contracts.errors import TlbenchError, UsageError
from tlbench.contracts.executor import CellOrder, Deliver, Executor
from tlbench.contracts.record import Record, Seconds, Status
from tlbench.running import worker
from tlbench.running.crew import close_crew, open_crew
from tlbench.running.outcomes import OutOfTime, ended
from tlbench.running.work import WorkFolder

DEATHS_WITHOUT_PROGRESS = 3
"""A worker may be killed by anybody; only a cell that kills it again and again without moving on is given up."""


@dataclass(frozen=True)
class Inline:
    """Runs cells in this process, one after another: for debugging, and where processes cannot be started."""

    name: str = "inline"

    def run(self, orders: Sequence[CellOrder], deliver: Deliver) -> None:
        """Runs every order in turn."""
        for order in orders:
            worker.prepare(order.threads)
            # An alarm in the middle of an import would leave half a module behind.
            worker.import_libraries()
            try:
                with _alarm(_seconds_left(order)):
                    record = worker.run(order)
            except OutOfTime:
                record = _timeout(order)
            deliver(record, Path(order.work))


@dataclass(frozen=True)
class Isolated:
    """Runs cells in worker processes: a crash, a hang or a leak stays in one of them."""

    name: str = "isolated"
    jobs: int = 1

    def run(self, orders: Sequence[CellOrder], deliver: Deliver) -> None:
        """Runs the orders on `jobs` workers; whoever falls idle takes the next."""
        from pebble import ProcessPool

        if not orders:
            return
        log = Path(orders[0].work).parent / "workers.log"
        with tempfile.TemporaryDirectory(prefix="tlbench-crew-") as crew:
            # spawn: a forked child would inherit the live view's threads, and CUDA cannot be forked.
            pool = ProcessPool(
                max_workers=self.jobs,
                context=multiprocessing.get_context("spawn"),
                initializer=worker.start,
                initargs=(str(log), crew, orders[0].threads),
            )
            # glibc reads these when a process starts, so they must stand before the workers do.
            for variable, value in worker.MALLOC.items():
                os.environ.setdefault(variable, value)
            # It unblocks SIGINT when it starts, so before the mask is set.
            resource_tracker.ensure_running()
            try:
                open_crew(Path(crew))
                _Drive(pool.schedule, deliver).run(orders, helpers=self.jobs - 1)
                close_crew(Path(crew))
                pool.close()
            finally:
                pool.stop()
                pool.join()


@dataclass
class _Flight:
    """An order on a worker."""

    order: CellOrder
    finished: int
    deaths: int = 0
    work: WorkFolder = field(init=False)

    def __post_init__(self) -> None:
        self.work = WorkFolder(Path(self.order.work))


class _Drive:
    """Orders on their way through a pool, and idle workers that help with them."""

    def __init__(self, schedule: Callable[..., Any], deliver: Deliver) -> None:
        self._schedule, self._deliver = schedule, deliver
        self._flights: dict[Future[Any], _Flight] = {}
        self._helpers: set[Future[Any]] = set()
        self._deaths = 0

    def run(self, orders: Iterable[CellOrder], helpers: int) -> None:
        for order in orders:
            flight = _Flight(order, 0)
            flight.finished = flight.work.finished()
            self._submit(flight)
        # They stand behind the last order, so that only a worker without one of its own comes to them.
        for _ in range(helpers):
            self._helpers.add(self._scheduled(worker.assist))
        while self._flights:
            done, _ = wait([*self._flights, *self._helpers], timeout=1.0, return_when=FIRST_COMPLETED)
            for future in done & self._helpers:
                self._helper_ended(future)
            for future in done & self._flights.keys():
                self._landed(future)

    def _submit(self, flight: _Flight) -> None:
        args, seconds = [msgspec.json.encode(flight.order)], _seconds_left(flight.order)
        future = self._scheduled(worker.run_order, args=args, timeout=seconds)
        self._flights[future] = flight

    def _scheduled(self, function: Callable[..., Any], **how: Any) -> Any:
        # The pool's threads and the workers inherit the mask: Ctrl-C is for this process, which then stops them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._schedule(function, **how)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _landed(self, future: Future[Any]) -> None:
        flight = self._flights.pop(future)
        record = _outcome(future, flight)
        if record is None:
            self._submit(flight)
        else:
            self._deliver(record, flight.work.root)

    def _helper_ended(self, future: Future[Any]) -> None:
        """Replaces a helper that died, unless helpers die again and again: a cell can do without."""
        self._helpers.discard(future)
        self._deaths += 1
        if self._deaths < DEATHS_WITHOUT_PROGRESS:
            self._helpers.add(self._scheduled(worker.assist))


def _outcome(future: Future[bytes], flight: _Flight) -> Record | None:
    """Returns the record of a flight that ended, or None where the worker died and the cell goes on."""
    from pebble import ProcessExpired

    order = flight.order
    try:
        return msgspec.json.decode(future.result(), type=Record)
    except TlbenchError:
        # The disk is full, the device is not there: no cell's fault, and none is recorded for it.
        raise
    except BrokenProcessPool as error:
        log = flight.work.root.parent / "workers.log"
        raise UsageError(f"the workers could not start ({error}); see {log}") from None
    except TimeoutError:
        return _timeout(order)
    except ProcessExpired as death:
        moved = flight.work.finished()
        flight.deaths = flight.deaths + 1 if moved == flight.finished else 1
        flight.finished = moved
        if flight.deaths < DEATHS_WITHOUT_PROGRESS:
            return None
        how = _how(death.exitcode)
        return _given_up(order, "crashed", f"the worker {how} {flight.deaths} times without getting further")
    except Exception as error:
        return _given_up(order, "crashed", f"the worker broke: {type(error).__name__}: {error}")


def _seconds_left(order: CellOrder) -> float | None:
    """Returns what is left of the cell's time, with what others spent on it before taken out; a second at least."""
    seconds = order.cell.protocol.max_seconds
    return None if seconds is None else max(min(1.0, seconds), seconds - WorkFolder(Path(order.work)).spent())


def _timeout(order: CellOrder) -> Record:
    seconds = order.cell.protocol.max_seconds or 0.0
    return _given_up(order, "timeout", f"stopped after {seconds:g} s (max_seconds)", seconds)


def _given_up(order: CellOrder, status: Status, reason: str, seconds: float = 0.0) -> Record:
    """Returns the record of a cell whose worker cannot write it, with what it had finished."""
    work = WorkFolder(Path(order.work))
    record = ended(order, status, reason, trials=tuple(work.trials().values()))
    return msgspec.structs.replace(record, test_reads=work.test_reads, seconds=Seconds(total=seconds))


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"exited with status {code}"


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return

    def ring(signum: int, frame: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@hookimpl
def tlbench_executors() -> list[Executor]:
    """Brings the core's own executors, through the hook that others use."""
    return [Inline(), Isolated()]
