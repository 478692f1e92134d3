"""Carries out orders in processes of their own: a crash, a hang or a leak stays in one of them."""

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


@dataclass(frozen=True)
class Isolated:
    """Carries out orders in worker processes, forked from one that has imported the libraries."""

    name: str = "isolated"
    jobs: int | None = None
    """How many workers; None for one a GPU or core, as far as the memory goes."""

    def start(self, asked: ExecutorRequest) -> Executor:
        """Returns an executor; its first worker starts with the first order."""
        return _IsolatedExecutor(asked, local_capacity(asked, self.jobs, isolated=True))


class _Way:
    """An order on a worker."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.outcome: OrderResult | WorkerLost | None = None

    def result(self) -> OrderResult:
        assert self.outcome is not None, "asked for before `wait` named it"
        if isinstance(self.outcome, WorkerLost):
            raise self.outcome
        return self.outcome

    def cancel(self) -> None:
        if self.outcome is None:
            self.worker.kill()


@dataclass
class _Place:
    """A worker that lives, and what it is used to."""

    worker: WorkerProcess
    slot: int
    key: str = ""
    name: str = ""
    keeps: bool = False
    way: _Way | None = None
    used: float = 0.0


class _IsolatedExecutor:
    """On a CPU a worker serves one cell, so that nothing a fit leaves behind reaches another; on a GPU one backbone."""

    def __init__(self, asked: ExecutorRequest, capacity: Capacity) -> None:
        self._asked, self._capacity = asked, capacity
        environment = {**QUIET, **ALLOCATOR, **dict.fromkeys(THREADS, str(capacity.cores)), **asked.environment}
        preload = (*PRELOADED, *plugin_modules(), DISCOVERED)
        start = Start("tlbench.running.fitting.process:answer", Path(asked.log), preload, environment)
        self._workers: WorkerPool = open_workers(start)
        self._workers.warm_up()
        self._places: dict[WorkerProcess, _Place] = {}
        self._fatal_imports: set[tuple[str, ...]] = set()

    def capacity(self) -> Capacity:
        return self._capacity

    def submit(self, order: FitOrder) -> Handle:
        place = self._place_for(order)
        place.way, place.used = _Way(place.worker), time.monotonic()
        place.worker.send(msgspec.json.encode(order))
        return place.way

    def wait(self, handles: Iterable[Handle], timeout: float | None = None) -> set[Handle]:
        asked = {handle for handle in handles if isinstance(handle, _Way)}
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (done := {way for way in asked if way.outcome is not None}):
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                break
            self._note(left)
        return set(done)

    def close(self) -> None:
        self._workers.close(0.0)
        self._places.clear()

    def _note(self, timeout: float | None) -> None:
        for event in self._workers.wait(timeout):
            place = self._places.get(event.worker)
            if place is None:
                continue
            way, place.way = place.way, None
            if isinstance(event, Answered):
                if way is None:
                    continue
                try:
                    answer = msgspec.json.decode(event.answer, type=OrderResult)
                except msgspec.DecodeError as error:
                    way.outcome = WorkerLost(f"answered what is no answer: {error}")
                    event.worker.kill()
                    continue
                place.name, place.keeps = answer.worker, answer.keeps
                way.outcome = answer
                continue
            del self._places[event.worker]
            if way is not None:
                way.outcome = WorkerLost(event.how, event.oom) if isinstance(event, Died) else WorkerLost("ended")

    def _place_for(self, order: FitOrder) -> _Place:
        key = order.cell.id if order.device == "cpu" else (order.cell.backbone.name if order.cell.backbone else "")
        idle = [place for place in self._places.values() if place.way is None]
        used_to_it = [place for place in idle if place.key == key]
        if used_to_it:
            return min(used_to_it, key=lambda place: (place.name != order.worker, place.keeps, place.used))
        if len(self._places) >= self._capacity.workers and idle:
            # One that keeps no predictor, and has been idle longest.
            gone = min(idle, key=lambda place: (place.keeps, place.used))
            del self._places[gone.worker]
            gone.worker.end()
        taken = {place.slot for place in self._places.values()}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        environment = {} if order.device == "cpu" else {"CUDA_VISIBLE_DEVICES": gpu_of(self._asked, slot)}
        worker = self._forked(order, environment)
        place = self._places[worker] = _Place(worker, slot, key)
        return place

    def _forked(self, order: FitOrder, environment: dict[str, str]) -> WorkerProcess:
        try:
            if order.imports not in self._fatal_imports:
                try:
                    return self._workers.fork(order.cell.title, environment, order.imports)
                except ImportsFailedError:
                    # Let a worker import them, whose death or time limit is its own cell's.
                    self._fatal_imports.add(order.imports)
            return self._workers.fork(order.cell.title, environment)
        except StartError as error:
            raise UsageError(f"the workers could not start: {error}") from None
