"""The executor `isolated`: carries out orders in worker processes, so that a crash or a hang ends only one of them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tlbench.catalog.discovery import plugin_modules
from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import Capacity, Executor, ExecutorRequest, FitOrder, Handle, OrderResult, WorkerLost
from tlbench.running.executors.local_capacity import gpu_of, local_capacity
from tlbench.running.fitting.libraries import ALLOCATOR, DISCOVERED, PRELOADED, QUIET, THREADS
from tlbench.running.forking import (
    Answered,
    Died,
    ImportsFailedError,
    Start,
    StartError,
    WorkerPool,
    WorkerProcess,
    open_workers,
)
from tlbench.running.memory.lost_worker import lost_worker
from tlbench.running.memory.memory_guard import MemoryGuard


@dataclass(frozen=True)
class Isolated:
    """Carries out orders in worker processes, which are forked from a process that has imported the libraries."""

    name: str = "isolated"
    jobs: int | None = None
    """The number of workers; None for the number from `--jobs`, or else one per GPU or core as far as memory allows."""

    def start(self, request: ExecutorRequest) -> Executor:
        """Returns an executor that starts its first worker when the first order is submitted."""
        return _IsolatedExecutor(request, local_capacity(request, self.jobs, isolated=True))


class _Handle:
    """The handle of an order that a worker process carries out."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.outcome: OrderResult | WorkerLost | None = None

    def result(self) -> OrderResult:
        assert self.outcome is not None, "result() was called before wait() returned the handle"
        if isinstance(self.outcome, WorkerLost):
            raise self.outcome
        return self.outcome

    def cancel(self) -> None:
        if self.outcome is None:
            self.worker.kill()


@dataclass
class _Worker:
    """A worker process and its state."""

    process: WorkerProcess
    slot: int
    """Index of the worker among those that run at the same time; it selects the worker's GPU."""
    key: str = ""
    """Id of the cell that the worker serves; on a GPU, the name of the backbone instead (empty for a cell without
    one)."""
    name: str = ""
    """The worker's own name, which `FitOrder.worker` refers to; empty until the worker has returned a result."""
    keeps: bool = False
    """Whether the worker has the predictor of its last fit, the best trial so far, in memory."""
    handle: _Handle | None = None
    """Handle of the order that the worker is carrying out; None while the worker is idle."""
    used: float = 0.0
    """Time (of `time.monotonic`) at which the worker last received an order."""


class _IsolatedExecutor:
    """An executor whose workers each serve one cell on a CPU, or one backbone on a GPU.

    On a CPU, cells therefore cannot affect each other.
    """

    def __init__(self, request: ExecutorRequest, capacity: Capacity) -> None:
        self._request, self._capacity = request, capacity
        environment = {**QUIET, **ALLOCATOR, **dict.fromkeys(THREADS, str(capacity.cores)), **request.environment}
        preload = (*PRELOADED, *plugin_modules(), DISCOVERED)
        start = Start("tlbench.running.fitting.process:answer", Path(request.log), preload, environment)
        self._pool: WorkerPool = open_workers(start)
        # Imports run while the driver reads the plan and opens the first cells.
        self._pool.prestart()
        self._guard = MemoryGuard(request.memory_bytes)
        self._workers: dict[WorkerProcess, _Worker] = {}
        self._fatal_imports: set[tuple[str, ...]] = set()
        """Groups of modules whose import killed a process that was to import them once for several workers. Each worker
        imports such modules itself."""

    def capacity(self) -> Capacity:
        return self._capacity

    def submit(self, order: FitOrder) -> Handle:
        worker = self._worker_for(order)
        worker.handle, worker.used = _Handle(worker.process), time.monotonic()
        worker.process.send(msgspec.json.encode(order))
        return worker.handle

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
        self._guard.close()
        self._pool.close(0.0)
        self._workers.clear()

    def _take_events(self, timeout: float | None) -> None:
        """Waits for events of worker processes, and sets the outcome of each order that has ended."""
        for event in self._pool.wait(timeout):
            verdict = "" if isinstance(event, Answered) else self._guard.remove(event.worker.pid)
            worker = self._workers.get(event.worker)
            if worker is None:
                continue  # it was replaced, and has now ended
            handle, worker.handle = worker.handle, None
            if isinstance(event, Answered):
                if handle is None:
                    continue
                try:
                    answer = msgspec.json.decode(event.answer, type=OrderResult)
                except msgspec.DecodeError as error:
                    handle.outcome = WorkerLost(f"answered what is no answer: {error}")
                    event.worker.kill()
                    continue
                worker.name, worker.keeps = answer.worker, answer.keeps
                handle.outcome = answer
                if any(one.status == "oom" for one in answer.results):
                    # What is left of its memory may be in pieces; the next order gets a fresh process.
                    del self._workers[event.worker]
                    event.worker.end()
                continue
            del self._workers[event.worker]
            if handle is not None:
                handle.outcome = lost_worker(event, verdict) if isinstance(event, Died) else WorkerLost("ended")

    def _worker_for(self, order: FitOrder) -> _Worker:
        """Returns an idle worker of the order's cell (on a GPU: of its backbone), or a new one."""
        key = order.cell.id if order.device == "cpu" else (order.cell.backbone.name if order.cell.backbone else "")
        idle = [worker for worker in self._workers.values() if worker.handle is None]
        matching = [worker for worker in idle if worker.key == key]
        if matching:
            # Best is the worker that holds the winner's predictor; else one without any, so that none is overwritten.
            return min(matching, key=lambda worker: (worker.name != order.worker, worker.keeps, worker.used))
        if len(self._workers) >= self._capacity.workers and idle:
            # Replace a worker that holds no predictor, and of these the one that has been idle longest.
            replaced = min(idle, key=lambda worker: (worker.keeps, worker.used))
            del self._workers[replaced.process]
            replaced.process.end()
        taken = {worker.slot for worker in self._workers.values()}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        environment = {} if order.device == "cpu" else {"CUDA_VISIBLE_DEVICES": gpu_of(self._request, slot)}
        process = self._fork(order, environment)
        self._guard.add(process.pid)
        worker = self._workers[process] = _Worker(process, slot, key)
        return worker

    def _fork(self, order: FitOrder, environment: dict[str, str]) -> WorkerProcess:
        try:
            if order.imports not in self._fatal_imports:
                try:
                    return self._pool.fork(order.cell.title, environment, order.imports)
                except ImportsFailedError:
                    # Let the worker import them itself from now on, so that its death or time limit ends its own cell
                    # and not the run.
                    self._fatal_imports.add(order.imports)
            return self._pool.fork(order.cell.title, environment)
        except StartError as error:
            raise UsageError(f"the workers could not start: {error}") from None
