"""The driver's side of a fork server (Linux): starts the server and has it fork workers and branches.

A branch is a server that was forked from the first one and has imported further modules.
"""

from __future__ import annotations

import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from tlbench.running.forking import frames
from tlbench.running.forking import linux as system
from tlbench.running.forking.server_process import MARK, ServerProcess, end_server, was_killed
from tlbench.running.forking.start import ImportsFailedError, Start, StartError, started_interpreter
from tlbench.running.forking.workers import NO_ENVIRONMENT, WorkerPool, WorkerProcess

_ATTEMPTS = 3
"""Number of attempts to fork a worker. A first attempt may find that a branch is dead, and a second one that the server
from which branches are forked is dead too."""
_KILLED_ATTEMPTS = 10
"""Number of attempts if the server is killed from outside each time. There are more of these, because such a kill does
not mean that the server's imports are at fault."""
IMPORT_SECONDS = 120.0
"""Time limit in seconds for a branch (a fork server with extra modules) to import its modules. The driver is blocked
while it waits for them."""
_adopting, _adopted_before = 0, False
"""The number of pools that need this process to adopt orphans, and whether it already did so before the first pool."""


class ForkServer(WorkerPool):
    """A pool whose workers are forked from a server, which is started with the first worker and again after its death.

    A worker that needs further modules is forked from a branch: a server that was forked from the first one and has
    imported these modules. So a worker's initial memory depends only on its modules, and not on earlier workers.
    """

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self._server: ServerProcess | None = None
        self._branches: dict[tuple[str, ...], ServerProcess] = {}
        self._servers: list[ServerProcess] = []
        """All servers and branches that are not known to have ended. Discarded ones are among them, because they still
        report the deaths of their workers."""
        self._adopting = False

    def prestart(self) -> None:
        """Starts the server, which imports its modules while the driver continues."""
        if self._server is None and not self._closed:
            self._server = self._start_server()

    def fork(
        self, name: str = "", environment: Mapping[str, str] = NO_ENVIRONMENT, modules: Sequence[str] = ()
    ) -> WorkerProcess:
        """Forks a worker; the first one waits until the server has imported its modules.

        Raises:
            ImportsFailedError: Importing the modules killed the branch several times, or took too long.
            StartError: The first server died several times, or the system could not start a process.
        """
        if self._closed:
            raise RuntimeError("the fork server is closed")
        ended = killed = 0
        while ended < _ATTEMPTS and killed < _KILLED_ATTEMPTS:
            server = self._server_with(tuple(modules))
            if server is not None and (worker := self._fork_from(server, name)) is not None:
                settings = {"target": self._start.target, "name": name, "environment": dict(environment)}
                self._begin(worker, json.dumps(settings).encode())
                return worker
            # The server is dead or broken; discard it and try again. `wait` will return the deaths of its workers.
            if was_killed(server or self._server):
                killed += 1
            else:
                ended += 1
            self._discard(server or self._server)
        if modules and self._server is not None:
            raise ImportsFailedError(f"{', '.join(modules)} cannot be imported; see {self._start.log}")
        raise StartError(f"the fork server ended before it had forked a worker; see {self._start.log}")

    def _server_with(self, modules: tuple[str, ...]) -> ServerProcess | None:
        """Returns the server or branch that has these modules, or None if the first server is dead."""
        if self._server is None:
            self._server = self._start_server()
        if not modules:
            return self._server
        if modules not in self._branches:
            branch = self._fork_branch(self._server, modules)
            if branch is None:
                return None
            self._branches[modules] = self._register(branch)
        return self._branches[modules]

    def _fork_branch(self, server: ServerProcess, modules: tuple[str, ...]) -> ServerProcess | None:
        """Forks a branch that imports more modules; returns None if the server is dead."""
        # SEQPACKET keeps messages apart, so that the control socket needs no frames.
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
        reply = json.loads(answer)
        if "refused" in reply:
            ours.close()
            raise StartError(reply["refused"])
        return ServerProcess(None, ours, server.mark, reply["pid"], server)

    def _discard(self, server: ServerProcess | None) -> None:
        """Stops using a server, so that the next fork starts another."""
        if server is self._server:
            self._server = None
        self._branches = {modules: other for modules, other in self._branches.items() if other is not server}
        if server is not None and server.process is not None:
            server.process.kill()

    def _register(self, server: ServerProcess) -> ServerProcess:
        self._servers.append(server)
        self._selector.register(server.control, selectors.EVENT_READ, lambda mask: self._on_control(server))
        return server

    def _start_server(self) -> ServerProcess:
        # If the server is killed, the driver adopts its orphans and can kill them; otherwise process 1 would get them.
        self._adopt(True)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mark = secrets.token_hex(8)
        try:
            message = {"as": "server", "handle": theirs.fileno(), "driver": os.getpid(), "preload": self._start.preload}
            process = started_interpreter(
                self._start,
                message,
                environment={MARK: mark},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return self._register(ServerProcess(process, ours, f"{MARK}={mark}", process.pid))

    def _fork_from(self, server: ServerProcess, name: str) -> WorkerProcess | None:
        """Has a server fork a worker; returns None if the server is dead."""
        ours, theirs = socket.socketpair()
        worker = WorkerProcess(self, next(self._numbers), name, ours)
        try:
            with theirs:
                socket.send_fds(server.control, [json.dumps(["fork", worker.id]).encode()], [theirs.fileno()])
            # Only a branch has a limit: what the first server imports does not depend on the cell.
            if server.process is None and not server.is_ready:
                ours.settimeout(IMPORT_SECONDS)
            answer = frames.read(ours)
        except TimeoutError:
            ours.close()
            self._discard(server)
            with suppress(OSError):
                os.kill(server.pid, signal.SIGKILL)
            raise ImportsFailedError(f"a worker's imports took more than {IMPORT_SECONDS:g} s") from None
        except ConnectionError:
            answer = None
        except BaseException:  # Ctrl-C too
            ours.close()
            raise
        if answer is None or answer[0] != frames.FORKED:
            ours.close()
            if answer is None:
                return None
            raise StartError(answer[1].decode(errors="replace"))
        server.is_ready = True
        reply = json.loads(answer[1])
        worker.pid, self.failed = reply["pid"], reply["failed"]
        server.workers[worker.id] = worker
        return worker

    def _on_control(self, server: ServerProcess) -> None:
        if self._receive_from(server) is None:
            self._selector.unregister(server.control)
            server.control.close()
            self._discard(server)
            if server.process is not None:
                end_server(server, self._branches_of(server), 0.0)
                self._report_death(server)

    def _receive_from(self, server: ServerProcess) -> bool | None:
        """Handles one message of a server; returns False if there is none now, None if the server is dead."""
        try:
            message = server.control.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            message = b""
        if not message:
            return None
        report = json.loads(message)
        if "branch" in report:
            for branch in self._branches_of(server):
                if branch.pid == report["branch"]:
                    self._report_death(branch)
            return True
        # A worker is unknown if `fork` was interrupted before it returned.
        if (worker := server.workers.pop(report["id"], None)) is not None:
            how = "closed its connection and was killed" if report["closed"] else None
            self._record_exit(worker, report["status"], oom=report["oom"], how=how)
        return True

    def _report_death(self, server: ServerProcess) -> None:
        """Reports the death of all workers of a dead server and of its branches."""
        for branch in self._branches_of(server):
            self._report_death(branch)
        if server.control.fileno() >= 0:
            # Deaths that the server reported before its own come first: they say how the workers died.
            while self._receive_from(server):
                pass
            self._selector.unregister(server.control)
            server.control.close()
        self._servers.remove(server)
        self._discard(server)
        for worker in server.workers.values():
            self._record_exit(worker, -signal.SIGKILL, how="lost its fork server")
        server.workers.clear()

    def _branches_of(self, server: ServerProcess) -> list[ServerProcess]:
        return [other for other in self._servers if other.parent is server]

    def _kill(self, worker: WorkerProcess) -> None:
        self._request(worker, "kill")

    def _on_disconnect(self, worker: WorkerProcess) -> None:
        self._request(worker, "lost")

    def _request(self, worker: WorkerProcess, what: str) -> None:
        # The workers of a dead server are dead too, so that it need not be asked.
        for server in self._servers:
            if worker.id in server.workers:
                with suppress(OSError):  # the socket is closed, here or at the other end
                    server.control.send(json.dumps([what, worker.id]).encode())

    def _shut_down(self) -> None:
        for server in self._servers:
            server.control.close()
            if server.process is not None and not server.is_ready:
                server.process.kill()  # it reads nothing before it has imported everything
        for server in self._servers:
            end_server(server, self._branches_of(server), 10.0)
        self._adopt(False)

    def _adopt(self, wanted: bool) -> None:
        """Makes this process adopt orphans as long as any pool has a server."""
        global _adopting, _adopted_before  # the setting is the process's, and there may be several pools
        if wanted == self._adopting:
            return
        if wanted and not _adopting:
            _adopted_before = system.adopts_orphans()
            system.adopt_orphans()
        self._adopting = wanted
        _adopting += 1 if wanted else -1
        if not _adopting:
            system.adopt_orphans(_adopted_before)
