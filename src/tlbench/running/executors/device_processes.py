"""The processes of one worker, one for each of its devices, which carry out an order together.

The first one's result is the order's. If a process dies, all are killed, and the worker is lost. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tlbench.contracts.executor import FitOrder, OrderResult, WorkerLost
from tlbench.running.fitting.devices.device_seats import FITTING
from tlbench.running.forking import WorkerProcess


class DeviceProcesses:
    """The processes of a worker in the order of their ranks, most often one."""

    def __init__(self, key: str, processes: Sequence[WorkerProcess]) -> None:
        """Takes over processes that were just started.

        Args:
            key: What the worker serves, as of `key_of`.
            processes: The processes.
        """
        self.key, self.processes = key, tuple(processes)
        self._alive = set(self.processes)
        self._busy: set[WorkerProcess] = set()
        self._result: bytes | None = None
        self._lost: WorkerLost | None = None
        self._is_consequence = False

    @property
    def is_whole(self) -> bool:
        """Whether none of the processes has died."""
        return len(self._alive) == len(self.processes)

    @property
    def is_idle(self) -> bool:
        """Whether no process is carrying out an order."""
        return not self._busy

    def send(self, order: FitOrder) -> None:
        """Gives an order to the processes that it concerns."""
        concerned = self.processes if order.purpose in FITTING else self.processes[:1]
        request = msgspec.json.encode(order)
        self._busy, self._result = set(concerned), None
        for process in concerned:
            process.send(request)

    def answered(self, process: WorkerProcess, answer: bytes) -> bytes | None:
        """Takes the answer of a process; returns the order's result once there is one, and None before.

        The process of another device than the first answers with a result only if it failed.
        """
        self._busy.discard(process)
        if process is self.processes[0]:
            self._result = answer
            if not self._busy or _has_failed(answer):
                return answer
        elif answer and self._result is None:
            # The others may wait for this one for ever.
            return answer
        return self._result if not self._busy else None

    def died(self, process: WorkerProcess, lost: WorkerLost, is_consequence: bool) -> WorkerLost | None:
        """Takes the death of a process, and kills the others; returns how the worker was lost once all have ended.

        Args:
            process: The process.
            lost: How it was lost.
            is_consequence: Whether it ended because it could not reach another one.
        """
        self._alive.discard(process)
        if len(self.processes) > 1 and not is_consequence:
            lost = WorkerLost(f"of device {self.processes.index(process)} {lost}", oom=lost.oom)
        if self._lost is None or (self._is_consequence and not is_consequence):
            self._lost, self._is_consequence = lost, is_consequence
        for other in self._alive:
            other.kill()
        return None if self._alive else self._lost

    def end(self) -> None:
        """Lets idle processes end, and kills those that wait for others."""
        for process in self._alive:
            if process in self._busy:
                process.kill()
            else:
                process.end()

    def kill(self) -> None:
        """Kills all processes."""
        for process in self._alive:
            process.kill()


def _has_failed(answer: bytes) -> bool:
    """Returns whether the others may still wait for a process that answers so."""
    try:
        result = msgspec.json.decode(answer, type=OrderResult)
    except msgspec.DecodeError:
        return True
    return bool(result.error) or any(one.status in ("failed", "oom") for one in result.results)
