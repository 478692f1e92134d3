"""The driver's side of workers, however they are started: requests to them, answers and deaths from them."""

from __future__ import annotations

import selectors
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from time import monotonic
from types import TracebackType
from typing import Self

from tlbench.running.forking import frames
from tlbench.running.forking.events import Answered, Died, Event, WorkerEnded, manner
from tlbench.running.forking.start import Start

KILL_SECONDS = 15.0
"""How long `close` waits for what was killed."""
_CHUNK = 2**20
NOTHING: Mapping[str, str] = {}


class WorkerProcess:
    """A process that answers requests, one at a time."""

    def __init__(self, owner: WorkerPool, id: int, name: str, sock: socket.socket) -> None:
        self.id, self.name, self.pid = id, name, 0
        self._owner = owner
        self._sock = sock
        self._read = frames.Reader()
        self._unsent: deque[memoryview] = deque()
        self._busy = self._ending = self._lost = False
        self._raised: str | None = None
        self._fault: str | None = None

    def __repr__(self) -> str:
        return f"<Worker {self.id} {self.name!r} pid {self.pid}>"

    @property
    def is_busy(self) -> bool:
        """Whether it has a request that it has not answered."""
        return self._busy

    def send(self, request: bytes) -> None:
        """Sends a request; what does not fit at once goes on its way while `wait` runs.

        To a worker whose death was not told yet this does nothing: its `Died` is on its way.

        Raises:
            RuntimeError: The worker has a request already, was asked to end, or was told to be gone.
        """
        if self._busy or self._ending or self not in self._owner.workers:
            raise RuntimeError(f"{self!r} takes no request now")
        self._busy = True
        self._owner._send(self, frames.REQUEST, request)

    def kill(self) -> None:
        """Kills the process, its group and all that it has started; a `Died` follows."""
        if self in self._owner.workers:
            self._owner._kill(self)

    def end(self) -> None:
        """Lets the process end by itself once it has answered what it was sent; an `WorkerEnded` follows."""
        if not self._ending:
            self._ending = True
            self._owner._flush(self)


class WorkerPool(ABC):
    """Starts workers and waits for what becomes of them; used from one thread, and as a context."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self.workers: set[WorkerProcess] = set()
        """Those that are not known to be gone."""
        self.failed: dict[str, str] = {}
        """What was raised by modules that could not be preloaded."""
        self._events: list[Event] = []
        self._numbers = count(1)
        self._closed = False
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @abstractmethod
    def fork(
        self, name: str = "", environment: Mapping[str, str] = NOTHING, modules: Sequence[str] = ()
    ) -> WorkerProcess:
        """Returns a new worker that has imported the modules, beside those that every worker has.

        Args:
            name: Shown by `ps`.
            environment: Added to the worker's.
            modules: What takes long to import; workers for which the same is asked share it in memory.

        Raises:
            StartError: There is none, twice in a row.
        """

    def warm_up(self) -> None:  # noqa: B027
        """Begins what the first `fork` would wait for, where there is such a thing."""

    @abstractmethod
    def _kill(self, worker: WorkerProcess) -> None: ...

    @abstractmethod
    def _is_lost(self, worker: WorkerProcess) -> None:
        """Sees to it that a worker whose socket is closed ends: now by itself, or killed."""

    @abstractmethod
    def _shut(self) -> None:
        """Ends what started the workers, when there are none left."""

    def fileno(self) -> int:
        """Returns a descriptor that is readable when `wait` has something to do (not on Windows)."""
        return self._selector.fileno()

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Returns what has happened as soon as anything has, or nothing after so many seconds or without workers."""
        deadline = None if timeout is None else monotonic() + timeout
        while self.workers and not self._events:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            ready = self._selector.select(left)
            for key, mask in ready:
                # What was handled before it may have closed it.
                if self._selector.get_map().get(key.fd) is key:
                    key.data(mask)
            if not ready and left is not None and left <= 0:
                break
        events, self._events = self._events, []
        self.workers -= {event.worker for event in events if not isinstance(event, Answered)}
        return events

    def close(self, grace_seconds: float = 0.0) -> list[Event]:
        """Ends all workers, kills those that have not ended in time, and returns what was not waited for."""
        if self._closed:
            return []
        self._closed = True
        events: list[Event] = []
        try:
            if grace_seconds > 0:
                for worker in self.workers:
                    worker.end()
                events += self._waited(grace_seconds)
            for worker in self.workers:
                worker.kill()
            events += self._waited(KILL_SECONDS)
        finally:
            self._shut()
            for worker in self.workers:
                worker._sock.close()
            self.workers.clear()
            self._selector.close()
        return events

    def _waited(self, seconds: float) -> Iterator[Event]:
        deadline = monotonic() + seconds
        while self.workers and (left := deadline - monotonic()) > 0:
            yield from self.wait(left)

    def _begin(self, worker: WorkerProcess, told: bytes) -> None:
        """Makes a worker that was just started one of those waited for, and tells it what it is."""
        worker._sock.setblocking(False)
        self.workers.add(worker)
        self._selector.register(worker._sock, selectors.EVENT_READ, lambda mask: self._on_socket(worker, mask))
        self._send(worker, frames.BEGIN, told)

    def _send(self, worker: WorkerProcess, kind: bytes, content: bytes) -> None:
        worker._unsent += [memoryview(frames.header(kind, len(content))), memoryview(content)]
        self._flush(worker)

    def _flush(self, worker: WorkerProcess) -> None:
        if worker._lost:
            return
        try:
            while worker._unsent:
                sent = worker._sock.send(worker._unsent[0]) if worker._unsent[0] else 0
                worker._unsent[0] = worker._unsent[0][sent:]
                if not worker._unsent[0]:
                    worker._unsent.popleft()
        except BlockingIOError:
            pass
        except OSError:
            # It will not be read; what it has written may still come.
            worker._unsent.clear()
        if worker._ending and not worker._unsent:
            with suppress(OSError):
                worker._sock.shutdown(socket.SHUT_WR)
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker._unsent else 0)
        self._selector.modify(worker._sock, wanted, lambda mask: self._on_socket(worker, mask))

    def _on_socket(self, worker: WorkerProcess, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush(worker)
        if mask & selectors.EVENT_READ and not self._take(worker):
            # That is no death yet: a target may have closed what is not its own.
            worker._lost = True
            self._selector.unregister(worker._sock)
            self._is_lost(worker)

    def _take(self, worker: WorkerProcess) -> bool:
        """Takes one piece of what a worker has written; returns whether more may come."""
        try:
            piece = worker._sock.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if piece and worker._fault is None:
            try:
                for kind, content in worker._read.feed(piece):
                    self._on_frame(worker, kind, content)
            except frames.FrameError as error:
                worker._fault = f"sent {error} and was killed"
                self._kill(worker)
        return bool(piece)

    def _on_frame(self, worker: WorkerProcess, kind: bytes, content: bytes) -> None:
        if kind == frames.ANSWER and worker._busy:
            worker._busy = False
            self._events.append(Answered(worker, content))
        elif kind == frames.RAISED:
            worker._raised = content.decode(errors="replace")
        else:
            raise frames.FrameError("an answer that nothing had asked for")

    def _gone(self, worker: WorkerProcess, status: int, *, oom: bool = False, how: str | None = None) -> None:
        """Makes events of a worker that is gone: an answer that was on its way, then its end."""
        if not worker._lost:
            # Not registered yet where `fork` was interrupted.
            with suppress(KeyError):
                self._selector.unregister(worker._sock)
            while self._unread(worker) and self._take(worker):
                pass
        worker._lost = True
        worker._sock.close()
        if worker._ending and not worker._busy and status == 0:
            self._events.append(WorkerEnded(worker))
            return
        how = worker._fault or (f"raised {worker._raised}" if worker._raised else how or manner(status, worker._busy))
        self._events.append(Died(worker, how, status, oom))

    def _unread(self, worker: WorkerProcess) -> bool:
        try:
            return bool(worker._sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False
