"""The executor `isolated`: carries out orders in worker processes, so that a crash or a hang ends only one of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import Capacity, Executor, ExecutorRequest, FitOrder, Handle, OrderResult, WorkerLost
from tlbench.running.executors.local_capacity import gpus_of, local_capacity
from tlbench.running.executors.slot_processes import SlotProcesses
from tlbench.running.executors.worker_slots import WorkerSlot, choose_slot
from tlbench.running.forking import start_method

START_METHOD = "TLBENCH_START_METHOD"
"""The environment variable that names how workers start, `fork` or `spawn`; by default as the system allows."""


@dataclass(frozen=True)
class Isolated:
    """Carries out orders in worker processes, which are forked from a process that has imported the libraries."""

    name: str = "isolated"
    jobs: int | None = None
    """The number of workers; None for the number from `--jobs`, or else one per GPU or core as far as memory allows."""

    def start(self, request: ExecutorRequest) -> Executor:
        """Returns an executor that starts its first worker when the first order is submitted."""
        try:
            method = start_method(os.environ.get(START_METHOD, ""))
        except ValueError as error:
            raise UsageError(f"{START_METHOD}: {error}") from None
        return _IsolatedExecutor(request, local_capacity(request, self.jobs, isolated=True), method)


class _Handle:
    """The handle of an order that a worker process carries out."""

    def __init__(self, processes: SlotProcesses, slot: int) -> None:
        self._processes, self._slot = processes, slot
        self.outcome: OrderResult | WorkerLost | None = None

    def result(self) -> OrderResult:
        assert self.outcome is not None, "result() was called before wait() returned the handle"
        if isinstance(self.outcome, WorkerLost):
            raise self.outcome
        return self.outcome

    def cancel(self) -> None:
        if self.outcome is None:
            self._processes.kill(self._slot)


class _IsolatedExecutor:
    """An executor whose workers each serve one cell on a CPU, or one backbone on a GPU."""

    def __init__(self, request: ExecutorRequest, capacity: Capacity, method: str) -> None:
        self._request, self._capacity = request, capacity
        # Imports run while the driver reads the plan and opens the first cells.
        self._processes = SlotProcesses(request.log, capacity.cores, request.environment, method, request.memory_bytes)
        self._slots: list[WorkerSlot[_Handle]] = [WorkerSlot(number) for number in range(capacity.workers)]

    def capacity(self) -> Capacity:
        return self._capacity

    def submit(self, order: FitOrder) -> Handle:
        slot = choose_slot(self._slots, order)
        assert slot is not None, "more orders were submitted than there are workers"
        # The slot selects the worker's GPUs.
        on_gpu = order.device != "cpu"
        environment = {"CUDA_VISIBLE_DEVICES": gpus_of(self._request, slot.number)} if on_gpu else {}
        self._processes.submit(slot.number, order, environment)
        handle = _Handle(self._processes, slot.number)
        slot.take(order, handle)
        return handle

    def wait(self, handles: Iterable[Handle], timeout: float | None = None) -> set[Handle]:
        waited = {handle for handle in handles if isinstance(handle, _Handle)}
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (done := {handle for handle in waited if handle.outcome is not None}):
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            self._take_events(left)
        return set(done)

    def close(self) -> None:
        self._processes.close()

    def _take_events(self, timeout: float | None) -> None:
        """Waits for events of worker processes, and sets the outcome of each order that has ended."""
        for number, event in self._processes.take_events(timeout):
            outcome: OrderResult | WorkerLost
            if isinstance(event, WorkerLost):
                outcome = event
            else:
                try:
                    outcome = msgspec.json.decode(event, type=OrderResult)
                except msgspec.DecodeError as error:
                    outcome = WorkerLost(f"answered what is no answer: {error}")
                    self._processes.kill(number)
            handle = self._slots[number].free(outcome if isinstance(outcome, OrderResult) else None)
            if handle is not None:
                handle.outcome = outcome
            if isinstance(outcome, OrderResult) and any(one.status == "oom" for one in outcome.results):
                # What is left of its memory may be in pieces; the next order gets a fresh process.
                self._processes.end(number)
