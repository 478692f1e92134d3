"""Processes that answer requests and may die alone, started in milliseconds from one that has imported what they need.

    with open_workers(Start("package.module:function", Path("workers.log"), preload=("torch",))) as workers:
        worker = workers.fork()
        worker.send(b"a request")
        for event in workers.wait():
            ...  # Answered, Died or Ended

Nothing here knows what a request is, and nothing beside the standard library is needed.
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
    """Returns what starts workers here: a fork server where forking is safe, and fresh processes elsewhere."""
    return ForkServer(start) if sys.platform == "linux" else SpawnServer(start)
