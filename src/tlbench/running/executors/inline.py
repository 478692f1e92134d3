"""The executor `inline`: carries out orders in this process, for debugging and where no processes can be started."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlbench.contracts.executor import Capacity, Executor, ExecutorRequest, FitOrder, Handle, OrderResult, OutOfTime
from tlbench.running.executors.local_capacity import local_capacity
from tlbench.running.executors.time_alarm import Alarm, alarm_after
from tlbench.running.fitting.libraries import configure_libraries

if TYPE_CHECKING:
    from tlbench.running.fitting.worker import Worker


@dataclass(frozen=True)
class Inline:
    """Carries out each order when it is submitted, in the calling thread."""

    name: str = "inline"

    def start(self, request: ExecutorRequest) -> Executor:
        """Returns an executor that imports torch and the other libraries when the first order is submitted."""
        return _InlineExecutor(request)


class _Done:
    """The handle of an order that `submit` has already carried out."""

    def __init__(self, answer: OrderResult | None) -> None:
        self._answer = answer

    def result(self) -> OrderResult:
        if self._answer is None:
            raise OutOfTime
        return self._answer

    def cancel(self) -> None:
        """Does nothing, since the order has ended."""


class _InlineExecutor:
    def __init__(self, request: ExecutorRequest) -> None:
        self._capacity = local_capacity(request, workers=1)
        self._index = request.device.partition(":")[2]
        self._worker: Worker | None = None

    def capacity(self) -> Capacity:
        return self._capacity

    def submit(self, order: FitOrder) -> Handle:
        import msgspec

        if self._worker is None:
            configure_libraries(order.threads)
            # Before the alarm is set: raised in the middle of an import, it would leave half a module behind.
            from tlbench.running.fitting.worker import Worker

            self._worker = Worker(isolated=False)
        if self._index:
            order = msgspec.structs.replace(order, device=f"{order.device}:{self._index}")
        try:
            with alarm_after(order.seconds):
                return _Done(self._worker.carry_out(order))
        except Alarm:
            # The fit was interrupted at any point, so nothing that it used can be trusted.
            self._worker.forget()
            return _Done(None)

    def wait(self, handles: Iterable[Handle], timeout: float | None = None) -> set[Handle]:
        return set(handles)

    def close(self) -> None:
        self._worker = None
