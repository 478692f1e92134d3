"""Workers that are started as new processes, for systems where forking is not safe (macOS, Windows).

Starting a worker in this way takes seconds.
"""

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
from tlbench.running.forking.workers import NO_ENVIRONMENT, WorkerPool, WorkerProcess

_CLOSED_SECONDS = 1.0
"""Time in seconds that a worker whose socket is closed has to end by itself before it is killed."""


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    pipe: IO[bytes]
    """The driver's end of a pipe. The worker kills itself when this end is closed, as it also is when the driver
    dies."""
    closed: bool = False


class SpawnServer(WorkerPool):
    """A pool whose workers are new processes, each of which imports its modules itself.

    A process that a worker starts in a process group of its own is not killed with the worker.
    """

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self._processes: dict[WorkerProcess, _Process] = {}
        self._ended: dict[int, WorkerProcess] = {}
        # A thread per worker waits for its end, and wakes up the selector through this pair.
        self._wakeup_read, self._wakeup_write = socket.socketpair()
        self._wakeup_read.setblocking(False)
        self._selector.register(self._wakeup_read, selectors.EVENT_READ, lambda mask: self._on_exits())

    def fork(
        self, name: str = "", environment: Mapping[str, str] = NO_ENVIRONMENT, modules: Sequence[str] = ()
    ) -> WorkerProcess:
        """Starts a new worker, which answers once it has imported the preloaded modules and its own.

        Raises:
            StartError: The system could not start a process.
        """
        if self._closed:
            raise RuntimeError("the workers are closed")
        ours, theirs = socket.socketpair()
        worker = WorkerProcess(self, next(self._numbers), name, ours)
        message = {"as": "worker", "handle": theirs.fileno(), "preload": (*self._start.preload, *modules)}
        how = {"stdin": subprocess.PIPE, "environment": environment}
        try:
            if sys.platform == "win32":
                # Windows duplicates a socket for a pid, which is known only after the start. The duplicate's length is
                # always the same, so it can be announced before.
                message["handle"] = len(theirs.share(os.getpid()))
                process = started_interpreter(self._start, message, **how)
                process.stdin.write(theirs.share(process.pid))
                process.stdin.flush()
            else:
                process = started_interpreter(self._start, message, pass_fds=[theirs.fileno()], **how)
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
            self._wakeup_write.sendall(id.to_bytes(8, "big"))

    def _on_exits(self) -> None:
        # Eight bytes are the id of a worker that has ended.
        with suppress(BlockingIOError):
            while len(number := self._wakeup_read.recv(8)) == 8:
                worker = self._ended.pop(int.from_bytes(number, "big"))
                started = self._processes.pop(worker)
                _kill_group(started.process)
                started.pipe.close()
                how = "closed its connection and was killed" if started.closed else None
                self._record_exit(worker, started.process.returncode, how=how)

    def _kill(self, worker: WorkerProcess) -> None:
        if (started := self._processes.get(worker)) is not None:
            started.process.kill()
            _kill_group(started.process)

    def _on_disconnect(self, worker: WorkerProcess) -> None:
        if (started := self._processes.get(worker)) is None:
            return

        def kill() -> None:
            if started.process.poll() is None:
                started.closed = True
                started.process.kill()

        timer = threading.Timer(_CLOSED_SECONDS, kill)
        timer.daemon = True
        timer.start()

    def _shut_down(self) -> None:
        for started in self._processes.values():
            started.pipe.close()
        self._wakeup_read.close()
        self._wakeup_write.close()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
