"""The fork server process: imports modules once, forks workers, reports their deaths and cleans up after them.

It has one thread and runs nothing but imports: the children of a process that has used OpenMP threads or CUDA hang.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NoReturn

from tlbench.running.forking import frames
from tlbench.running.forking import linux as system
from tlbench.running.forking.request_loop import preload, prepare_streams, serve
from tlbench.system.child_processes import children

CLOSED_SECONDS = 1.0
"""Time in seconds that a worker whose socket is closed has to end by itself before it is killed."""
SWEEP_SECONDS = 5.0
"""Longest time in seconds to wait for the processes that a dead worker has left behind to end, before the worker's
death is reported. Usually they end within milliseconds."""


def run_server(handle: int, driver: int, modules: Sequence[str]) -> NoReturn:
    """Makes this process a fork server until the driver has ended.

    Args:
        handle: The file descriptor of the server's end of the control socket.
        driver: The driver's pid.
        modules: The modules to import before anything is forked.
    """
    try:
        # Signals may be blocked or ignored in the driver, which children inherit, and workers would keep it.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # Ctrl-C is for the driver, which ends the server by closing the socket.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        # While it imports, it does not watch the driver, so the kernel has to kill it if the driver dies. That is
        # cancelled later, because the signal is sent when the thread ends that started the server, which may be sooner.
        system.die_with_parent(signal.SIGKILL)
        # The driver may have died before that call.
        if os.getppid() == driver:
            control = socket.socket(fileno=handle)
            control.set_inheritable(False)
            prepare_streams()
            failed = preload(modules)
            _warn_of_threads()
            system.adopt_orphans()
            server = _Server(control, system.watch_on(driver), failed)
            server._is_done = os.getppid() != driver
            system.die_with_parent(0)
            server.run()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


@dataclass
class _Child:
    """The server's view of a worker."""

    id: int
    pid: int
    kill_requested: bool = False
    """Whether the driver asked for the worker to be killed."""
    deadline: float | None = None
    """Time (of `time.monotonic`) at which the worker is killed because its socket is closed; None if it is not
    closed."""
    closed: bool = False
    """Whether the worker was killed because its socket was closed."""


class _Server:
    def __init__(self, control: socket.socket, driver: int | None, failed: dict[str, str]) -> None:
        self._control, self._driver, self._failed = control, driver, failed
        self._workers: dict[int, _Child] = {}
        self._branches: set[int] = set()
        """Pids of branches, the servers that were forked from this one and import further modules."""
        self._reports: deque[bytes] = deque()
        self._delayed: list[tuple[float, bytes]] = []
        """Reports that wait until a dead worker's processes are gone, each with the latest time to send it."""
        self._kills = system.MemoryKills()
        self._own_children = children(os.getpid())
        """The pids of processes that preloaded modules have started; they are not orphans of a worker."""
        # The usual self-pipe: SIGCHLD writes a byte, which wakes up `poll`. A full pipe wakes it just as well.
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        # Without a Python handler the signal is ignored, and nothing is written.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._handles = [self._wake, wake]
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        if driver is not None:
            self._poll.register(driver, select.POLLIN)
        self._is_done = False

    def run(self) -> None:
        """Handles the driver's requests until it has ended, then kills all processes that are left."""
        # A collection in a child would write to all objects and so copy their pages; frozen ones are left alone.
        gc.collect()
        gc.freeze()
        while not self._is_done:
            self._poll.register(self._control, select.POLLIN | (select.POLLOUT if self._reports else 0))
            for handle, events in self._poll.poll(self._timeout_ms()):
                if handle == self._wake:
                    with suppress(BlockingIOError):
                        os.read(self._wake, 4096)
                elif handle == self._driver:
                    self._is_done = True
                elif events & ~select.POLLOUT:
                    self._handle_request()
            # All three are cheap, so they run after any event rather than after the right one.
            self._kill_closed()
            self._reap()
            self._send_reports()
        self._end_all()

    def _timeout_ms(self) -> float | None:
        times = [time for time, _ in self._delayed]
        times += [child.deadline for child in self._workers.values() if child.deadline is not None]
        return max(0.0, min(times) - monotonic()) * 1000 + 1 if times else None

    def _handle_request(self) -> None:
        try:
            message, handles, _, _ = socket.recv_fds(self._control, 65536, 1, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            message, handles = b"", []
        if not message:
            self._is_done = True
            return
        what, id = json.loads(message)
        if what == "fork":
            self._fork(id, handles[0])
        elif what == "branch":
            self._branch(id, handles[0])
        elif (child := next((one for one in self._workers.values() if one.id == id), None)) is not None:
            if what == "kill":
                child.kill_requested = True
                system.kill(child.pid)
            else:
                child.deadline = monotonic() + CLOSED_SECONDS

    def _fork(self, id: int, handle: int) -> None:
        sock = socket.socket(fileno=handle)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            with suppress(OSError):
                frames.write(sock, frames.REFUSED, str(error).encode())
            sock.close()
            return
        if not pid:
            self._become_worker(sock, server)
        # The child does it too. Whichever comes first, the group exists before either goes on.
        with suppress(OSError):
            os.setpgid(pid, pid)
        self._workers[pid] = _Child(id, pid)
        with suppress(OSError), sock:
            frames.write(sock, frames.FORKED, json.dumps({"pid": pid, "failed": self._failed}).encode())

    def _become_worker(self, sock: socket.socket, server: int) -> NoReturn:
        try:
            self._detach(server)
            system.prefer_for_memory_kills()
            if self._driver is not None:
                os.close(self._driver)
        except BaseException:
            os._exit(1)
        serve(sock)

    def _branch(self, modules: Sequence[str], handle: int) -> None:
        """Forks a server that imports more modules and takes requests from the handle."""
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=handle)
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            with suppress(OSError), control:
                control.send(json.dumps({"refused": str(error)}).encode())
            return
        if not pid:
            self._become_branch(control, modules, server)
        self._branches.add(pid)
        with suppress(OSError), control:
            control.send(json.dumps({"pid": pid}).encode())

    def _become_branch(self, control: socket.socket, modules: Sequence[str], server: int) -> NoReturn:
        try:
            self._detach(server)
            failed = {**self._failed, **preload(modules)}
            _warn_of_threads()
            _Server(control, self._driver, failed).run()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def _detach(self, server: int) -> None:
        """Detaches a forked child from the server: it leads its own process group, and dies with the server."""
        system.die_with_parent(signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)  # the server died before that call
        # A group of its own, so that a kill takes what the worker has started along.
        with suppress(OSError):
            os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A copy of the socket in a child would keep it open after the server's death, and the driver would not notice.
        self._control.close()
        for handle in self._handles:
            os.close(handle)
        system.adopt_orphans()

    def _kill_closed(self) -> None:
        for child in self._workers.values():
            if child.deadline is not None and child.deadline <= monotonic():
                child.deadline, child.closed = None, True
                system.kill(child.pid)

    def _reap(self) -> None:
        """Reaps dead children, kills their orphans, and queues reports of workers' deaths once no orphans are left."""
        deaths, reaped = [], False
        while (pid := system.ended()) is not None:
            reaped = True
            if pid in self._workers:
                # Its group is killed before it is reaped: until then the kernel gives its number to no other process.
                system.kill(pid)
            _, status = os.waitpid(pid, 0)
            self._own_children.discard(pid)
            if pid in self._branches:
                self._branches.discard(pid)
                self._delayed.append((monotonic() + SWEEP_SECONDS, json.dumps({"branch": pid}).encode()))
            if (child := self._workers.pop(pid, None)) is not None:
                deaths.append((child, os.waitstatus_to_exitcode(status)))
        if deaths:
            # The kernel counts kills without naming the process. A SIGKILL that nobody here sent is taken for one of
            # them.
            memory = self._kills.rose()
            for child, code in deaths:
                oom = memory and code == -signal.SIGKILL and not child.kill_requested and not child.closed
                report = {"id": child.id, "status": code, "oom": oom, "closed": child.closed}
                self._delayed.append((monotonic() + SWEEP_SECONDS, json.dumps(report).encode()))
        if reaped or self._delayed:
            clean = not self._sweep()
            ready = [one for one in self._delayed if clean or one[0] <= monotonic()]
            self._delayed = [one for one in self._delayed if one not in ready]
            self._reports.extend(message for _, message in ready)

    def _sweep(self) -> bool:
        """Kills the orphans of dead workers and returns whether there were any; their deaths cause further signals."""
        left = children(os.getpid()) - self._workers.keys() - self._own_children - self._branches
        for pid in left:
            # The server adopts orphans, so a child that it did not fork was started by a worker that has ended.
            system.kill(pid, group=False)
        return bool(left)

    def _send_reports(self) -> None:
        while self._reports:
            try:
                self._control.send(self._reports[0], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:
                self._is_done = True
                return
            self._reports.popleft()

    def _end_all(self) -> None:
        for pid in (*self._workers, *self._branches):
            system.kill(pid)
        self._workers, self._own_children, self._branches = {}, set(), set()
        deadline = monotonic() + SWEEP_SECONDS
        with suppress(ChildProcessError):
            while monotonic() < deadline:
                self._sweep()
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                # An orphan arrives without a signal when its parent ends, so look again after a moment.
                select.select([self._wake], [], [], 0.02)


def _warn_of_threads() -> None:
    """Warns if an import has started a thread: a lock that it holds during a fork is never released in the worker."""
    with suppress(OSError):
        others = set(os.listdir("/proc/self/task")) - {str(os.getpid())}
        names = [Path(f"/proc/self/task/{thread}/comm").read_text().strip() for thread in others]
        if names:
            print(
                f"the fork server has threads after its imports ({', '.join(names)}): workers may hang", file=sys.stderr
            )
