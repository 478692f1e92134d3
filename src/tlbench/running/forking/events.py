"""The events of worker processes: answers, deaths and normal exits."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlbench.running.forking.workers import WorkerProcess


@dataclass(frozen=True)
class Answered:
    """A worker has answered its request and is idle."""

    worker: WorkerProcess
    answer: bytes


@dataclass(frozen=True)
class Died:
    """A worker process has died, and so have the processes that it started."""

    worker: WorkerProcess
    how: str
    """Completes a sentence about the worker: `was killed by SIGKILL`, `exited with status 0 before it answered`."""
    status: int
    """The exit status, or the negative number of the signal that killed it."""
    oom: bool = False
    """Whether the kernel killed the worker because memory ran out."""


@dataclass(frozen=True)
class WorkerEnded:
    """A worker has ended as requested, and so have the processes that it started."""

    worker: WorkerProcess


Event = Answered | Died | WorkerEnded


def describe_exit(status: int, busy: bool) -> str:
    """Describes in words how a process ended, given its exit status and whether it was working on a request."""
    if status >= 0:
        return f"exited with status {status}" + (" before it answered" if busy else "")
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
