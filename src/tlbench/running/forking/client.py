"""Workers that are forked, in milliseconds, from a process that has imported what they need (Linux)."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from tlbench.running.forking import frames, system
from tlbench.running.forking.start import Start, StartError, started_interpreter
from tlbench.running.forking.workers import NOTHING, Worker, Workers

_MARK = "TLBENCH_FORK_SERVER"
"""What a server, and by that all it starts, has in its environment: how a driver knows its orphans."""
_ATTEMPTS = 2
_adopting, _adopted_before = 0, False
"""How many fork servers need this process to adopt orphans, and whether it did without them."""


@dataclass
class _Server:
    """A fork server, seen from the driver."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    mark: str
    workers: dict[int, Worker] = field(default_factory=dict)


class ForkServer(Workers):
    """Workers from a fork server, which is started with the first worker and again where it has died."""

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self._server: _Server | None = None
        self._servers: list[_Server] = []
        """All whose end was not noticed: one that is replaced has workers whose deaths are still to be told."""
        self._adopting = False

    def fork(self, name: str = "", environment: Mapping[str, str] = NOTHING) -> Worker:
        """Returns a new worker; waits for the server's imports where there is none yet.

        Raises:
            StartError: The server ended twice before it had forked one, or the system has no room for a process.
        """
        if self._closed:
            raise RuntimeError("the fork server is closed")
        for _ in range(_ATTEMPTS):
            if self._server is None:
                self._server = self._started()
            if (worker := self._forked(self._server, name)) is not None:
                told = {"target": self._start.target, "name": name, "environment": dict(environment)}
                self._begin(worker, json.dumps(told).encode())
                return worker
            # It is dead, or as good as that. What became of its workers is told by `wait`.
            self._server.process.kill()
            self._server = None
        raise StartError(f"the fork server ended before it had forked a worker; see {self._start.log}")

    def _started(self) -> _Server:
        # Whatever a server that is killed leaves behind comes here, and not to the system's first process.
        self._adopt(True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mark = secrets.token_hex(8)
        try:
            told = {"as": "server", "handle": theirs.fileno(), "driver": os.getpid(), "preload": self._start.preload}
            process = started_interpreter(
                self._start,
                told,
                environment={_MARK: mark},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        server = _Server(process, ours, f"{_MARK}={mark}")
        self._servers.append(server)
        self._selector.register(ours, selectors.EVENT_READ, lambda mask: self._on_control(server))
        return server

    def _forked(self, server: _Server, name: str) -> Worker | None:
        """Returns a worker of this server, or None where the server is dead."""
        ours, theirs = socket.socketpair()
        worker = Worker(self, next(self._numbers), name, ours)
        try:
            with theirs:
                socket.send_fds(server.control, [json.dumps(["fork", worker.id]).encode()], [theirs.fileno()])
            answer = frames.read(ours)
        except ConnectionError:
            answer = None
        except BaseException:
            ours.close()
            raise
        if answer is None or answer[0] != frames.FORKED:
            ours.close()
            if answer is None:
                return None
            raise StartError(answer[1].decode(errors="replace"))
        told = json.loads(answer[1])
        worker.pid, self.failed = told["pid"], told["failed"]
        server.workers[worker.id] = worker
        return worker

    def _on_control(self, server: _Server) -> None:
        try:
            message = server.control.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._lose(server)
            return
        told = json.loads(message)
        # One that `fork` was interrupted in the middle of is not known.
        if (worker := server.workers.pop(told["id"], None)) is not None:
            how = "closed its connection and was killed" if told["closed"] else None
            self._gone(worker, told["status"], oom=told["oom"], how=how)

    def _lose(self, server: _Server) -> None:
        """Tells of the death of every worker of a server that is dead."""
        self._selector.unregister(server.control)
        server.control.close()
        self._servers.remove(server)
        if self._server is server:
            self._server = None
        _end(server, 0.0)
        for worker in server.workers.values():
            self._gone(worker, -signal.SIGKILL, how="lost its fork server")
        server.workers.clear()

    def _kill(self, worker: Worker) -> None:
        self._tell(worker, "kill")

    def _is_lost(self, worker: Worker) -> None:
        self._tell(worker, "lost")

    def _tell(self, worker: Worker, what: str) -> None:
        # A server that is dead has taken its workers with it.
        for server in self._servers:
            if worker.id in server.workers:
                with suppress(OSError):
                    server.control.send(json.dumps([what, worker.id]).encode())

    def _shut(self) -> None:
        for server in self._servers:
            server.control.close()
        for server in self._servers:
            _end(server, 10.0)
        self._adopt(False)

    def _adopt(self, wanted: bool) -> None:
        """Makes this process adopt orphans from the first server's start to the last one's end."""
        global _adopting, _adopted_before
        if wanted == self._adopting:
            return
        if wanted and not _adopting:
            _adopted_before = system.adopts_orphans()
            system.adopt_orphans()
        self._adopting = wanted
        _adopting += 1 if wanted else -1
        if not _adopting:
            system.adopt_orphans(_adopted_before)


def _end(server: _Server, seconds: float) -> None:
    """Waits for a server to end, kills it after that, and kills what has come to this process from it."""
    try:
        server.process.wait(seconds)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    pids = {worker.pid for worker in server.workers.values()}
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        # Not by number alone: a number is given again.
        left = system.children(os.getpid())
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
