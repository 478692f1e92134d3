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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tlbench.running.forking import frames
from tlbench.running.forking import linux as system
from tlbench.running.forking.start import ImportsFailedError, Start, StartError, started_interpreter
from tlbench.running.forking.workers import NOTHING, WorkerPool, WorkerProcess

_MARK = "TLBENCH_FORK_SERVER"
"""What a server, and by that all it starts, has in its environment: how a driver knows its orphans."""
_ATTEMPTS = 3
"""Of a fork: a branch may be dead, and after that the server that it is forked from."""
_KILLED_ATTEMPTS = 10
"""Of a fork whose server is killed from outside, which says nothing against what it imports."""
IMPORT_SECONDS = 120.0
"""How long a branch may import, while the driver waits."""
_adopting, _adopted_before = 0, False
"""How many fork servers need this process to adopt orphans, and whether it did without them."""


@dataclass
class _Server:
    """A fork server, seen from the driver."""

    process: subprocess.Popen[bytes] | None
    """None for a branch."""
    control: socket.socket
    mark: str
    pid: int
    parent: _Server | None = None
    """What a branch was forked from: it tells of a branch's end when nothing of it is left."""
    is_ready: bool = False
    """Whether it has answered, and so imported what it was told to."""
    workers: dict[int, WorkerProcess] = field(default_factory=dict)


class ForkServer(WorkerPool):
    """Workers from a fork server, which is started with the first worker and again where it has died.

    Workers with modules of their own come from a branch: a fork server for these modules, forked from the first. What
    a worker has in memory when it starts so depends on what was asked for it alone, and not on what came before.
    """

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self._server: _Server | None = None
        self._branches: dict[tuple[str, ...], _Server] = {}
        self._servers: list[_Server] = []
        """All whose end was not noticed: one that is replaced has workers whose deaths are still to be told."""
        self._adopting = False

    def warm_up(self) -> None:
        """Starts the server, which then imports while the driver does other things."""
        if self._server is None and not self._closed:
            self._server = self._started()

    def fork(
        self, name: str = "", environment: Mapping[str, str] = NOTHING, modules: Sequence[str] = ()
    ) -> WorkerProcess:
        """Returns a new worker; waits for the server's imports where there is none yet.

        Raises:
            ImportsFailedError: A branch ended again and again before it had imported the modules, or took too long.
            StartError: The same of the first server, or there is no room for a process.
        """
        if self._closed:
            raise RuntimeError("the fork server is closed")
        ended = killed = 0
        while ended < _ATTEMPTS and killed < _KILLED_ATTEMPTS:
            server = self._server_with(tuple(modules))
            if server is not None and (worker := self._forked(server, name)) is not None:
                told = {"target": self._start.target, "name": name, "environment": dict(environment)}
                self._begin(worker, json.dumps(told).encode())
                return worker
            # It is dead, or as good as that. What became of its workers is told by `wait`.
            if _was_killed(server or self._server):
                killed += 1
            else:
                ended += 1
            self._replace(server or self._server)
        if modules and self._server is not None:
            raise ImportsFailedError(f"{', '.join(modules)} cannot be imported; see {self._start.log}")
        raise StartError(f"the fork server ended before it had forked a worker; see {self._start.log}")

    def _server_with(self, modules: tuple[str, ...]) -> _Server | None:
        """Returns the server that has imported the modules, or None where the first one is dead."""
        if self._server is None:
            self._server = self._started()
        if not modules:
            return self._server
        if modules not in self._branches:
            branch = self._branched(self._server, modules)
            if branch is None:
                return None
            self._branches[modules] = self._watched(branch)
        return self._branches[modules]

    def _branched(self, server: _Server, modules: tuple[str, ...]) -> _Server | None:
        """Returns a fork server with more modules, forked from this one, or None where this one is dead."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                socket.send_fds(server.control, [json.dumps(["branch", modules]).encode()], [theirs.fileno()])
            answer = ours.recv(65536)
        except ConnectionError:
            answer = b""
        except BaseException:
            ours.close()
            raise
        if not answer:
            ours.close()
            return None
        server.is_ready = True
        told = json.loads(answer)
        if "refused" in told:
            ours.close()
            raise StartError(told["refused"])
        return _Server(None, ours, server.mark, told["pid"], server)

    def _replace(self, server: _Server | None) -> None:
        """Sees to it that a server is started anew when it is needed."""
        if server is self._server:
            self._server = None
        self._branches = {modules: other for modules, other in self._branches.items() if other is not server}
        if server is not None and server.process is not None:
            server.process.kill()

    def _watched(self, server: _Server) -> _Server:
        self._servers.append(server)
        self._selector.register(server.control, selectors.EVENT_READ, lambda mask: self._on_control(server))
        return server

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
        return self._watched(_Server(process, ours, f"{_MARK}={mark}", process.pid))

    def _forked(self, server: _Server, name: str) -> WorkerProcess | None:
        """Returns a worker of this server, or None where the server is dead."""
        ours, theirs = socket.socketpair()
        worker = WorkerProcess(self, next(self._numbers), name, ours)
        try:
            with theirs:
                socket.send_fds(server.control, [json.dumps(["fork", worker.id]).encode()], [theirs.fileno()])
            if server.process is None and not server.is_ready:
                ours.settimeout(IMPORT_SECONDS)
            answer = frames.read(ours)
        except TimeoutError:
            ours.close()
            self._replace(server)
            with suppress(OSError):
                os.kill(server.pid, signal.SIGKILL)
            raise ImportsFailedError(f"a worker's imports took more than {IMPORT_SECONDS:g} s") from None
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
        server.is_ready = True
        told = json.loads(answer[1])
        worker.pid, self.failed = told["pid"], told["failed"]
        server.workers[worker.id] = worker
        return worker

    def _on_control(self, server: _Server) -> None:
        if self._told_by(server) is None:
            self._selector.unregister(server.control)
            server.control.close()
            self._replace(server)
            if server.process is not None:
                _end(server, self._branches_of(server), 0.0)
                self._lose(server)

    def _told_by(self, server: _Server) -> bool | None:
        """Takes one message of a server; False where there is none now, None where there will be no more."""
        try:
            message = server.control.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            message = b""
        if not message:
            return None
        told = json.loads(message)
        if "branch" in told:
            for branch in self._branches_of(server):
                if branch.pid == told["branch"]:
                    self._lose(branch)
            return True
        # One that `fork` was interrupted in the middle of is not known.
        if (worker := server.workers.pop(told["id"], None)) is not None:
            how = "closed its connection and was killed" if told["closed"] else None
            self._gone(worker, told["status"], oom=told["oom"], how=how)
        return True

    def _lose(self, server: _Server) -> None:
        """Tells of the death of every worker of a server that is dead, and of those of its branches."""
        for branch in self._branches_of(server):
            self._lose(branch)
        if server.control.fileno() >= 0:
            while self._told_by(server):
                pass
            self._selector.unregister(server.control)
            server.control.close()
        self._servers.remove(server)
        self._replace(server)
        for worker in server.workers.values():
            self._gone(worker, -signal.SIGKILL, how="lost its fork server")
        server.workers.clear()

    def _branches_of(self, server: _Server) -> list[_Server]:
        return [other for other in self._servers if other.parent is server]

    def _kill(self, worker: WorkerProcess) -> None:
        self._tell(worker, "kill")

    def _is_lost(self, worker: WorkerProcess) -> None:
        self._tell(worker, "lost")

    def _tell(self, worker: WorkerProcess, what: str) -> None:
        # A server that is dead has taken its workers with it.
        for server in self._servers:
            if worker.id in server.workers:
                with suppress(OSError):  # closed here, or at its other end
                    server.control.send(json.dumps([what, worker.id]).encode())

    def _shut(self) -> None:
        for server in self._servers:
            server.control.close()
            if server.process is not None and not server.is_ready:
                server.process.kill()  # it would not see the end before it has imported everything
        for server in self._servers:
            _end(server, self._branches_of(server), 10.0)
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


def _was_killed(server: _Server | None) -> bool:
    """Says whether the first server was killed by somebody, where this one or the one it was forked from is dead."""
    first = server.parent if server is not None and server.parent is not None else server
    if first is None or first.process is None:
        return False
    try:
        return first.process.wait(1.0 if first is server else 0.1) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        return False


def _end(server: _Server, branches: Sequence[_Server], seconds: float) -> None:
    """Waits for a server to end, kills it after that, and kills what has come to this process from it."""
    if server.process is None:
        return  # ends with the server that it was forked from
    try:
        server.process.wait(seconds)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    pids = {worker.pid for one in (server, *branches) for worker in one.workers.values()}
    pids |= {branch.pid for branch in branches}
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
