"""The fork server's side: imports once, forks workers, tells of their deaths, and leaves nothing behind them.

It has one thread and runs nothing but imports: a process that has used two OpenMP threads, or CUDA, hangs its children.
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
from tlbench.running.forking.serve import preload, prepare_streams, serve

CLOSED_SECONDS = 1.0
"""A worker whose socket is closed is about to end; one that has not by then never will."""
SWEEP_SECONDS = 5.0
"""How long a death waits to be told until what the worker left behind is gone, which takes milliseconds."""


def run_server(handle: int, driver: int, modules: Sequence[str]) -> NoReturn:
    """Makes this process a fork server until the driver is gone.

    Args:
        handle: The server's end of the control socket.
        driver: The driver's pid.
        modules: What to import before anything is forked.
    """
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        # While it imports it watches nothing. Later the thread that started it may end without harm.
        system.die_with_parent(signal.SIGKILL)
        if os.getppid() == driver:
            control = socket.socket(fileno=handle)
            control.set_inheritable(False)
            prepare_streams()
            failed = preload(modules)
            _warn_of_threads()
            system.adopt_orphans()
            server = _Server(control, system.watch_on(driver), failed)
            server._gone = os.getppid() != driver
            system.die_with_parent(0)
            server.run()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


@dataclass
class _Child:
    """A worker, seen from the server."""

    id: int
    pid: int
    asked: bool = False
    """Whether the driver wanted it killed."""
    deadline: float | None = None
    """When a worker whose socket is closed is killed."""
    closed: bool = False
    """Whether it was killed for that."""


class _Server:
    def __init__(self, control: socket.socket, driver: int | None, failed: dict[str, str]) -> None:
        self._control, self._driver, self._failed = control, driver, failed
        self._workers: dict[int, _Child] = {}
        self._branches: set[int] = set()
        """Servers that were forked from this one, to import more."""
        self._told: deque[bytes] = deque()
        self._untold: list[tuple[float, bytes]] = []
        """Deaths whose leftovers are being killed, and when to tell of them all the same."""
        self._kills = system.MemoryKills()
        self._own = system.children(os.getpid())
        """What a preloaded module has started; it is no worker's, and ends with the server."""
        self._wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._handles = [self._wake, wake]
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        if driver is not None:
            self._poll.register(driver, select.POLLIN)
        self._gone = False

    def run(self) -> None:
        """Does what the driver asks until it is gone, then kills whatever is left."""
        # What the garbage collector does not touch stays shared with every child.
        gc.collect()
        gc.freeze()
        while not self._gone:
            self._poll.register(self._control, select.POLLIN | (select.POLLOUT if self._told else 0))
            for handle, events in self._poll.poll(self._milliseconds()):
                if handle == self._wake:
                    with suppress(BlockingIOError):
                        os.read(self._wake, 4096)
                elif handle == self._driver:
                    self._gone = True
                elif events & ~select.POLLOUT:
                    self._obey()
            self._kill_closed()
            self._reap()
            self._tell()
        self._end_all()

    def _milliseconds(self) -> float | None:
        times = [time for time, _ in self._untold]
        times += [child.deadline for child in self._workers.values() if child.deadline is not None]
        return max(0.0, min(times) - monotonic()) * 1000 + 1 if times else None

    def _obey(self) -> None:
        try:
            message, handles, _, _ = socket.recv_fds(self._control, 65536, 1, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            message, handles = b"", []
        if not message:
            self._gone = True
            return
        what, id = json.loads(message)
        if what == "fork":
            self._fork(id, handles[0])
        elif what == "branch":
            self._branch(id, handles[0])
        elif (child := next((one for one in self._workers.values() if one.id == id), None)) is not None:
            if what == "kill":
                child.asked = True
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
        # Both do it, so that neither meets the other's moment before.
        with suppress(OSError):
            os.setpgid(pid, pid)
        self._workers[pid] = _Child(id, pid)
        with suppress(OSError), sock:
            frames.write(sock, frames.FORKED, json.dumps({"pid": pid, "failed": self._failed}).encode())

    def _become_worker(self, sock: socket.socket, server: int) -> NoReturn:
        try:
            self._let_go(server)
            if self._driver is not None:
                os.close(self._driver)
        except BaseException:
            os._exit(1)
        serve(sock)

    def _branch(self, modules: Sequence[str], handle: int) -> None:
        """Forks a server that imports more; it answers forks through the handle."""
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
            self._let_go(server)
            failed = {**self._failed, **preload(modules)}
            _warn_of_threads()
            _Server(control, self._driver, failed).run()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def _let_go(self, server: int) -> None:
        """Makes a forked child a process of its own, which dies with the server and leads a group."""
        system.die_with_parent(signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
        with suppress(OSError):
            os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
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
        """Waits for what has ended, kills what that left behind, and tells of a worker when nothing of it is left."""
        deaths, reaped = [], False
        while (pid := system.ended()) is not None:
            reaped = True
            if pid in self._workers:
                # Before it is waited for: until then no other process can be given this number.
                system.kill(pid)
            _, status = os.waitpid(pid, 0)
            self._own.discard(pid)
            if pid in self._branches:
                self._branches.discard(pid)
                self._untold.append((monotonic() + SWEEP_SECONDS, json.dumps({"branch": pid}).encode()))
            if (child := self._workers.pop(pid, None)) is not None:
                deaths.append((child, os.waitstatus_to_exitcode(status)))
        if deaths:
            memory = self._kills.rose()
            for child, code in deaths:
                oom = memory and code == -signal.SIGKILL and not child.asked and not child.closed
                told = {"id": child.id, "status": code, "oom": oom, "closed": child.closed}
                self._untold.append((monotonic() + SWEEP_SECONDS, json.dumps(told).encode()))
        if reaped or self._untold:
            clean = not self._sweep()
            ready = [one for one in self._untold if clean or one[0] <= monotonic()]
            self._untold = [one for one in self._untold if one not in ready]
            self._told.extend(message for _, message in ready)

    def _sweep(self) -> bool:
        """Kills what dead workers left behind and returns whether there was any; its end comes as another signal."""
        left = system.children(os.getpid()) - self._workers.keys() - self._own - self._branches
        for pid in left:
            # A child that is no worker's process has come here because its worker ended.
            system.kill(pid, group=False)
        return bool(left)

    def _tell(self) -> None:
        while self._told:
            try:
                self._control.send(self._told[0], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:
                self._gone = True
                return
            self._told.popleft()

    def _end_all(self) -> None:
        for pid in (*self._workers, *self._branches):
            system.kill(pid)
        self._workers, self._own, self._branches = {}, set(), set()
        deadline = monotonic() + SWEEP_SECONDS
        with suppress(ChildProcessError):
            while monotonic() < deadline:
                self._sweep()
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                # New orphans come here without a signal, when their parents end.
                select.select([self._wake], [], [], 0.02)


def _warn_of_threads() -> None:
    """Says so where an import has started a thread: a lock that it holds in a fork is held in the worker for ever."""
    with suppress(OSError):
        others = set(os.listdir("/proc/self/task")) - {str(os.getpid())}
        names = [Path(f"/proc/self/task/{thread}/comm").read_text().strip() for thread in others]
        if names:
            print(
                f"the fork server has threads after its imports ({', '.join(names)}): workers may hang", file=sys.stderr
            )
