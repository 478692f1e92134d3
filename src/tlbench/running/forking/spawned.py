"""Workers that are started as fresh processes, in seconds, where forking is not safe (macOS, Windows)."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from tlbench.running.forking.start import Start, StartError, started_interpreter
from tlbench.running.forking.workers import NOTHING, WorkerPool, WorkerProcess

_CLOSED_SECONDS = 1.0


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    lifeline: IO[bytes]
    """A worker kills itself when the driver's end of this is closed, and so when the driver is dead."""
    closed: bool = False


class SpawnServer(WorkerPool):
    """Workers that each import what they need; what one starts in a group of its own outlives it."""

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self._processes: dict[WorkerProcess, _Process] = {}
        self._ended: dict[int, WorkerProcess] = {}
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ, lambda mask: self._on_bell())

    def fork(
        self, name: str = "", environment: Mapping[str, str] = NOTHING, modules: Sequence[str] = ()
    ) -> WorkerProcess:
        """Returns a new worker, which will be ready when it has imported what is preloaded and the modules.

        Raises:
            StartError: The system did not start a process.
        """
        if self._closed:
            raise RuntimeError("the workers are closed")
        ours, theirs = socket.socketpair()
        worker = WorkerProcess(self, next(self._numbers), name, ours)
        told = {"as": "worker", "handle": theirs.fileno(), "preload": (*self._start.preload, *modules)}
        how = {"stdin": subprocess.PIPE, "environment": environment}
        try:
            if sys.platform == "win32":
                # The length of what Windows makes of a socket for another process is always the same.
                told["handle"] = len(theirs.share(os.getpid()))
                process = started_interpreter(self._start, told, **how)
                process.stdin.write(theirs.share(process.pid))
                process.stdin.flush()
            else:
                process = started_interpreter(self._start, told, pass_fds=[theirs.fileno()], **how)
        except OSError as error:
            ours.close()
            raise StartError(str(error)) from None
        finally:
            theirs.close()
        assert process.stdin is not None
        worker.pid, self._processes[worker] = process.pid, _Process(process, process.stdin)
        self._ended[worker.id] = worker
        threading.Thread(target=self._watch, args=(worker.id, process), name=f"worker-{worker.id}", daemon=True).start()
        begin = {"target": self._start.target, "name": name, "environment": dict(environment)}
        self._begin(worker, json.dumps(begin).encode())
        return worker

    def _watch(self, id: int, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        with suppress(OSError):
            self._rope.sendall(id.to_bytes(8, "big"))

    def _on_bell(self) -> None:
        with suppress(BlockingIOError):
            while len(number := self._bell.recv(8)) == 8:
                worker = self._ended.pop(int.from_bytes(number, "big"))
                started = self._processes.pop(worker)
                _kill_group(started.process)
                started.lifeline.close()
                how = "closed its connection and was killed" if started.closed else None
                self._gone(worker, started.process.returncode, how=how)

    def _kill(self, worker: WorkerProcess) -> None:
        if (started := self._processes.get(worker)) is not None:
            started.process.kill()
            _kill_group(started.process)

    def _is_lost(self, worker: WorkerProcess) -> None:
        if (started := self._processes.get(worker)) is None:
            return

        def kill() -> None:
            if started.process.poll() is None:
                started.closed = True
                started.process.kill()

        timer = threading.Timer(_CLOSED_SECONDS, kill)
        timer.daemon = True
        timer.start()

    def _shut(self) -> None:
        for started in self._processes.values():
            started.lifeline.close()
        self._bell.close()
        self._rope.close()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
