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
    "METHODS",
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
    "start_method",
]


METHODS = ("fork", "spawn")
"""How workers can be started: forked from a process that has imported their libraries, or as fresh processes."""


def start_method(wanted: str = "", platform: str = sys.platform) -> str:
    """Returns the method that was asked for, or else "fork" on Linux and "spawn" where forking is not safe.

    Raises:
        ValueError: There is no such method here.
    """
    possible = METHODS if platform == "linux" else ("spawn",)
    if wanted and wanted not in possible:
        raise ValueError(f"{wanted}: no way to start workers here: use {' or '.join(possible)}")
    return wanted or possible[0]


def open_workers(start: Start) -> WorkerPool:
    """Returns a pool whose workers start as the settings say, by default as the system allows.

    Raises:
        ValueError: There is no such method here.
    """
    return ForkServer(start) if start_method(start.method) == "fork" else SpawnServer(start)
