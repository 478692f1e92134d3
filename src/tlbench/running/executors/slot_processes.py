"""Worker processes in numbered slots, at most one in each, which carry out orders until they are killed.

What an executor needs on each machine, whichever machine the driver is on. Importing this imports no torch.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tlbench.catalog.discovery import plugin_modules
from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import FitOrder, WorkerLost
from tlbench.running.executors.device_processes import DeviceProcesses
from tlbench.running.executors.worker_slots import key_of
from tlbench.running.fitting.devices.device_seats import DeviceSeat, environment_of
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
from tlbench.running.forking.workers import NO_ENVIRONMENT
from tlbench.running.lost_worker import has_lost_others, lost_worker
from tlbench.running.memory.memory_guard import MemoryGuard


class SlotProcesses:
    """Worker processes that are forked from one that has imported the libraries; to be used from one thread."""

    def __init__(
        self,
        log: str,
        cores: int,
        environment: Mapping[str, str],
        method: str = "",
        memory_bytes: int | None = None,
    ) -> None:
        """Starts the imports, in the background.

        Args:
            log: The file to which the workers' stdout and stderr are appended.
            cores: The number of CPU threads of each worker.
            environment: Environment variables of the workers, such as those of the run.
            method: How workers start, "fork" or "spawn"; empty for what the system allows.
            memory_bytes: The memory that all workers together may hold; None to look at the machine's memory alone.
        """
        variables = {**QUIET, **ALLOCATOR, **dict.fromkeys(THREADS, str(cores)), **environment}
        preload = (*PRELOADED, *plugin_modules(), DISCOVERED)
        start = Start("tlbench.running.fitting.process:answer", Path(log), preload, variables, method)
        self._pool: WorkerPool = open_workers(start)
        self._pool.prestart()
        self._guard = MemoryGuard(memory_bytes)
        self._workers: dict[int, DeviceProcesses] = {}
        """The worker of each slot that has one."""
        self._slots: dict[WorkerProcess, int] = {}
        self._meetings: tempfile.TemporaryDirectory[str] | None = None
        """A folder for the files by which the processes of a worker find each other; None before there are several."""
        self._fatal_imports: set[tuple[str, ...]] = set()
        """Groups of modules whose import killed a process that was to import them once for several workers. Each worker
        imports such modules itself."""

    def fileno(self) -> int:
        """Returns a file descriptor that is readable when `take_events` has something to do (not on Windows)."""
        return self._pool.fileno()

    def await_imports(self) -> None:
        """Waits until the libraries are imported, so that the first order does not.

        Raises:
            UsageError: No worker could be started.
        """
        try:
            self._pool.fork().end()
        except StartError as error:
            raise UsageError(f"the workers could not start: {error}") from None

    def submit(self, slot: int, order: FitOrder, environment: Mapping[str, str] = NO_ENVIRONMENT) -> None:
        """Gives an order to the slot's worker, or to a new one if the slot has none that serves what the order needs.

        Args:
            slot: A slot whose worker is idle.
            order: The order.
            environment: Variables of a new worker, such as the GPU that it sees.

        Raises:
            UsageError: No worker could be started.
        """
        worker = self._workers.get(slot)
        if worker is None or not worker.is_whole or worker.key != key_of(order):
            self.end(slot)
            worker = self._workers[slot] = self._started(slot, order, environment)
        worker.send(order)

    def end(self, slot: int) -> None:
        """Lets the idle worker of a slot end; does nothing if there is none."""
        if (worker := self._workers.pop(slot, None)) is not None:
            for process in worker.processes:
                self._slots.pop(process, None)
            worker.end()

    def kill(self, slot: int) -> None:
        """Kills the worker of a slot, its process group and the processes that it started."""
        if (worker := self._workers.get(slot)) is not None:
            worker.kill()

    def take_events(self, timeout: float | None) -> list[tuple[int, bytes | WorkerLost]]:
        """Waits for events, and returns the JSON of each slot's result or how its worker was lost.

        The death of an idle worker is returned too.
        """
        found: list[tuple[int, bytes | WorkerLost]] = []
        for event in self._pool.wait(timeout):
            verdict = "" if isinstance(event, Answered) else self._guard.remove(event.worker.pid)
            slot = self._slots.get(event.worker)
            if slot is None:
                continue  # it was replaced, and has now ended
            worker = self._workers[slot]
            if isinstance(event, Answered):
                if (answer := worker.answered(event.worker, event.answer)) is not None:
                    found.append((slot, answer))
                    if not worker.is_idle:
                        # Processes of other devices wait for one that has failed.
                        self.end(slot)
                continue
            del self._slots[event.worker]
            lost = lost_worker(event, verdict) if isinstance(event, Died) else WorkerLost("ended")
            is_consequence = isinstance(event, Died) and has_lost_others(event)
            if (how := worker.died(event.worker, lost, is_consequence)) is not None:
                del self._workers[slot]
                found.append((slot, how))
        return found

    def close(self) -> None:
        """Kills all workers."""
        self._guard.close()
        self._pool.close(0.0)
        self._workers.clear()
        self._slots.clear()
        if self._meetings is not None:
            self._meetings.cleanup()

    def _started(self, slot: int, order: FitOrder, environment: Mapping[str, str]) -> DeviceProcesses:
        """Returns a new worker for a slot, with a process for each device of the order."""
        meeting = self._meeting() if order.devices > 1 else ""
        processes: list[WorkerProcess] = []
        try:
            for rank in range(order.devices):
                seat = DeviceSeat(rank, order.devices, meeting)
                processes.append(self._fork(order, environment_of(seat, environment)))
                self._guard.add(processes[-1].pid)
        except BaseException:
            for process in processes:
                process.kill()
            raise
        self._slots.update(dict.fromkeys(processes, slot))
        return DeviceProcesses(key_of(order), processes)

    def _meeting(self) -> str:
        """Returns the path of a file that does not exist."""
        if self._meetings is None:
            self._meetings = tempfile.TemporaryDirectory(prefix="tlbench-devices-", ignore_cleanup_errors=True)
        return str(Path(self._meetings.name) / secrets.token_hex(8))

    def _fork(self, order: FitOrder, environment: Mapping[str, str]) -> WorkerProcess:
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
