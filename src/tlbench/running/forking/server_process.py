"""The driver's view of a fork server process, and how it is ended without leaving processes behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tlbench.running.forking import linux as system
from tlbench.running.forking.workers import WorkerProcess
from tlbench.system.child_processes import children

MARK = "TLBENCH_FORK_SERVER"
"""An environment variable of a server that all processes started by it inherit. The driver recognises orphans by it."""


@dataclass
class ServerProcess:
    """A fork server, or a branch of one."""

    process: subprocess.Popen[bytes] | None
    """None for a branch, which is not a child of the driver."""
    control: socket.socket
    mark: str
    """The setting `NAME=value` in the environment of the server and of all processes that it starts."""
    pid: int
    parent: ServerProcess | None = None
    """The server that a branch was forked from, and that reports the branch's end; None for the first server itself."""
    is_ready: bool = False
    """Whether the server has answered a request, which shows that it has imported its modules."""
    workers: dict[int, WorkerProcess] = field(default_factory=dict)


def was_killed(server: ServerProcess | None) -> bool:
    """Returns whether SIGKILL ended the first fork server, given that server or a branch of it; False for None."""
    first = server.parent if server is not None and server.parent is not None else server
    if first is None or first.process is None:
        return False
    try:
        # A dead branch may be the first sign of a dead server, whose end takes a moment to show.
        return first.process.wait(1.0 if first is server else 0.1) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        return False


def end_server(server: ServerProcess, branches: Sequence[ServerProcess], seconds: float) -> None:
    """Waits for a server to end, kills it after the timeout, and kills the orphans that this process adopts from it."""
    if server.process is None:
        return  # a branch ends with the server that it was forked from
    try:
        server.process.wait(seconds)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    pids = {worker.pid for one in (server, *branches) for worker in one.workers.values()}
    pids |= {branch.pid for branch in branches}
    # Orphans come one generation after the other: each killed process may leave children, which are adopted then.
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        # Only children of this process that are known by pid or mark: pids are reused, and the driver may have other
        # children of its own.
        left = children(os.getpid())
        left = {pid for pid in left if pid in pids or system.environment_has(pid, server.mark)}
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            pids.add(pid)
        for pid in tuple(pids):
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if not left:
            return
        time.sleep(0.002)
