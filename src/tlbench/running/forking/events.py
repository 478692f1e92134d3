"""What becomes of workers."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlbench.running.forking.workers import WorkerProcess


@dataclass(frozen=True)
class Answered:
    """A worker has answered its request and is free for another."""

    worker: WorkerProcess
    answer: bytes


@dataclass(frozen=True)
class Died:
    """A worker is gone, and whatever it had started is gone too."""

    worker: WorkerProcess
    how: str
    """Goes on from "the worker": `was killed by SIGKILL`, `exited with status 0 before it answered`."""
    status: int
    """The exit status; of a signal, the negative number."""
    oom: bool = False
    """Whether the kernel killed it because memory ran out."""


@dataclass(frozen=True)
class WorkerEnded:
    """A worker that was asked to end has done so, and whatever it had started is gone."""

    worker: WorkerProcess


Event = Answered | Died | WorkerEnded


def manner(status: int, busy: bool) -> str:
    """Returns in words how a process ended, from its exit status and whether it had a request."""
    if status >= 0:
        return f"exited with status {status}" + (" before it answered" if busy else "")
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
