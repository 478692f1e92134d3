"""Worker processes that answer requests, forked in milliseconds from a process that has imported their libraries.

    with open_workers(Start("package.module:function", Path("workers.log"), preload=("torch",))) as workers:
        worker = workers.fork()
        worker.send(b"a request")
        for event in workers.wait():
            ...  # Answered, Died or WorkerEnded

Requests and answers are bytes. This package depends on the standard library alone.
"""

import sys

from tlbench.running.forking.client import ForkServer
from tlbench.running.forking.events import Answered, Died, Event, WorkerEnded
from tlbench.running.forking.spawned import SpawnServer
from tlbench.running.forking.start import ImportsFailedError, Start, StartError
from tlbench.running.forking.workers import WorkerPool, WorkerProcess

__all__ = [
    "Answered",
    "Died",
    "Event",
    "ForkServer",
    "ImportsFailedError",
    "SpawnServer",
    "Start",
    "StartError",
    "WorkerEnded",
    "WorkerPool",
    "WorkerProcess",
    "open_workers",
]


def open_workers(start: Start) -> WorkerPool:
    """Returns a pool that forks its workers on Linux, and starts fresh processes on other systems."""
    return ForkServer(start) if sys.platform == "linux" else SpawnServer(start)
