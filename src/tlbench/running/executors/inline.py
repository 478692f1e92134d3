"""Carries out orders in this process: for debugging, and where processes cannot be started."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.contracts.executor import Capacity, Executor, ExecutorRequest, FitOrder, Handle, OrderResult, OutOfTime
from tlbench.running.executors.local_capacity import local_capacity
from tlbench.running.fitting.libraries import prepare

if TYPE_CHECKING:
    from tlbench.running.fitting.worker import Worker


@dataclass(frozen=True)
class Inline:
    """Carries out one order after the other, in the thread that asks."""

    name: str = "inline"

    def start(self, asked: ExecutorRequest) -> Executor:
        """Returns an executor; libraries are imported with the first order."""
        return _InlineExecutor(asked)


class Alarm(BaseException):
    """Raised wherever the fit happens to be; no `except Exception` of a plugin may swallow it."""


class _Done:
    """An order that has ended."""

    def __init__(self, answer: OrderResult | None) -> None:
        self._answer = answer

    def result(self) -> OrderResult:
        if self._answer is None:
            raise OutOfTime
        return self._answer

    def cancel(self) -> None:
        """Does nothing: it has ended."""


class _InlineExecutor:
    def __init__(self, asked: ExecutorRequest) -> None:
        self._capacity = local_capacity(asked, workers=1)
        self._index = asked.device.partition(":")[2]
        self._worker: Worker | None = None

    def capacity(self) -> Capacity:
        return self._capacity

    def submit(self, order: FitOrder) -> Handle:
        import msgspec

        prepare(order.threads)
        # An alarm in the middle of an import would leave half a module behind.
        _import_libraries()
        if self._worker is None:
            from tlbench.running.fitting.worker import Worker

            self._worker = Worker(isolated=False)
        if self._index:
            order = msgspec.structs.replace(order, device=f"{order.device}:{self._index}")
        try:
            with _alarm(order.seconds):
                return _Done(self._worker.carry_out(order))
        except Alarm:
            self._worker.forget()
            return _Done(None)

    def wait(self, handles: Iterable[Handle], timeout: float | None = None) -> set[Handle]:
        return set(handles)

    def close(self) -> None:
        self._worker = None


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: object) -> None:
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _import_libraries() -> None:
    """Imports what every order needs; what cannot be imported is left to be reported by the first cell."""
    with suppress(Exception, SystemExit):
        import tlbench.running.fitting.worker  # noqa: F401
