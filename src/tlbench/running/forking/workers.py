"""The driver's side of workers, however they are started: sends requests and receives answers and deaths."""

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
from tlbench.running.forking.events import Answered, Died, Event, WorkerEnded, describe_exit
from tlbench.running.forking.start import Start

KILL_SECONDS = 15.0
"""Time in seconds that `close` waits for killed workers to end."""
_CHUNK = 2**20
NO_ENVIRONMENT: Mapping[str, str] = {}


class WorkerProcess:
    """A worker process, which answers one request at a time."""

    def __init__(self, owner: WorkerPool, id: int, name: str, sock: socket.socket) -> None:
        self.id, self.name, self.pid = id, name, 0
        self._owner = owner
        self._sock = sock
        self._read = frames.Reader()
        self._unsent: deque[memoryview] = deque()
        self._busy = self._ending = self._disconnected = False
        self._raised: str | None = None
        self._fault: str | None = None

    def __repr__(self) -> str:
        return f"<Worker {self.id} {self.name!r} pid {self.pid}>"

    @property
    def is_busy(self) -> bool:
        """Whether the worker is working on a request."""
        return self._busy

    def send(self, request: bytes) -> None:
        """Sends a request without blocking; `wait` sends the rest of a long request.

        If the worker has died but `wait` has not returned its `Died` yet, this does nothing.

        Raises:
            RuntimeError: The worker has a request already, was asked to end, or `wait` has returned its end.
        """
        if self._busy or self._ending or self not in self._owner.workers:
            raise RuntimeError(f"{self!r} takes no request now")
        self._busy = True
        self._owner._send(self, frames.REQUEST, request)

    def kill(self) -> None:
        """Kills the process, its group and the processes that it started; `wait` returns a `Died`."""
        if self in self._owner.workers:
            self._owner._kill(self)

    def end(self) -> None:
        """Lets the process end once it has answered its request; `wait` returns a `WorkerEnded`."""
        if not self._ending:
            self._ending = True
            self._owner._flush(self)


class WorkerPool(ABC):
    """Starts workers and waits for their events; to be used from one thread, as a context manager."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self.workers: set[WorkerProcess] = set()
        """Workers whose end `wait` has not returned yet."""
        self.failed: dict[str, str] = {}
        """The errors of modules that could not be preloaded, by module name."""
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
        self, name: str = "", environment: Mapping[str, str] = NO_ENVIRONMENT, modules: Sequence[str] = ()
    ) -> WorkerProcess:
        """Starts a worker that imports `modules` in addition to the modules that all workers have.

        Args:
            name: The process name that `ps` shows.
            environment: Variables added to the worker's environment.
            modules: Modules that take long to import; workers with the same modules share their memory.

        Raises:
            StartError: No worker could be started.
        """

    def prestart(self) -> None:  # noqa: B027
        """Starts imports in the background that the first `fork` would otherwise wait for."""

    @abstractmethod
    def _kill(self, worker: WorkerProcess) -> None: ...

    @abstractmethod
    def _on_disconnect(self, worker: WorkerProcess) -> None:
        """Kills a worker whose socket is closed, unless it soon ends by itself."""

    @abstractmethod
    def _shut_down(self) -> None:
        """Ends the process that starts workers, and closes what the pool has opened; called when no worker is left."""

    def fileno(self) -> int:
        """Returns a file descriptor that is readable when `wait` has something to do (not on Windows)."""
        return self._selector.fileno()

    def wait(self, timeout: float | None = None) -> list[Event]:
        """Waits for events and returns them; an empty list after the timeout in seconds, or if there are no workers."""
        deadline = None if timeout is None else monotonic() + timeout
        while self.workers and not self._events:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            ready = self._selector.select(left)
            for key, mask in ready:
                # Handling an earlier event may have closed this socket, and another may even have its number.
                if self._selector.get_map().get(key.fd) is key:
                    key.data(mask)
            if not ready and left is not None and left <= 0:
                break
        events, self._events = self._events, []
        self.workers -= {event.worker for event in events if not isinstance(event, Answered)}
        return events

    def close(self, grace_seconds: float = 0.0) -> list[Event]:
        """Ends all workers, kills those that take longer than the grace period, and returns the remaining events."""
        if self._closed:
            return []
        self._closed = True
        events: list[Event] = []
        try:
            if grace_seconds > 0:
                for worker in self.workers:
                    worker.end()
                events += self._events_within(grace_seconds)
            for worker in self.workers:
                worker.kill()
            events += self._events_within(KILL_SECONDS)
        finally:
            self._shut_down()
            for worker in self.workers:
                worker._sock.close()
            self.workers.clear()
            self._selector.close()
        return events

    def _events_within(self, seconds: float) -> Iterator[Event]:
        deadline = monotonic() + seconds
        while self.workers and (left := deadline - monotonic()) > 0:
            yield from self.wait(left)

    def _begin(self, worker: WorkerProcess, settings: bytes) -> None:
        """Registers a worker that was just started, and sends it its settings."""
        worker._sock.setblocking(False)
        self.workers.add(worker)
        self._selector.register(worker._sock, selectors.EVENT_READ, lambda mask: self._on_socket(worker, mask))
        self._send(worker, frames.BEGIN, settings)

    def _send(self, worker: WorkerProcess, kind: bytes, content: bytes) -> None:
        worker._unsent += [memoryview(frames.header(kind, len(content))), memoryview(content)]
        self._flush(worker)

    def _flush(self, worker: WorkerProcess) -> None:
        if worker._disconnected:
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
            # The worker reads no more, but answers that it has written can still be read.
            worker._unsent.clear()
        if worker._ending and not worker._unsent:
            # Closing one direction is the request to end: the worker reads the end of the stream, and its last answer
            # still comes through the other.
            with suppress(OSError):
                worker._sock.shutdown(socket.SHUT_WR)
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker._unsent else 0)
        self._selector.modify(worker._sock, wanted, lambda mask: self._on_socket(worker, mask))

    def _on_socket(self, worker: WorkerProcess, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush(worker)
        if mask & selectors.EVENT_READ and not self._receive(worker):
            # Not a death yet: a target may have closed descriptors that are not its own.
            worker._disconnected = True
            self._selector.unregister(worker._sock)
            self._on_disconnect(worker)

    def _receive(self, worker: WorkerProcess) -> bool:
        """Reads once from a worker's socket; returns False at its end."""
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
            raise frames.FrameError("an answer without a request")

    def _record_exit(self, worker: WorkerProcess, status: int, *, oom: bool = False, how: str | None = None) -> None:
        """Adds the events of a worker that has ended: an answer that was still in the socket, then its end."""
        if not worker._disconnected:
            # If `fork` was interrupted, it is not registered yet.
            with suppress(KeyError):
                self._selector.unregister(worker._sock)
            while self._unread(worker) and self._receive(worker):
                pass
        worker._disconnected = True
        worker._sock.close()
        if worker._ending and not worker._busy and status == 0:
            self._events.append(WorkerEnded(worker))
            return
        # The most specific cause comes first: what the worker did, then what it raised, then how its process ended.
        how = worker._fault or (
            f"raised {worker._raised}" if worker._raised else how or describe_exit(status, worker._busy)
        )
        self._events.append(Died(worker, how, status, oom))

    def _unread(self, worker: WorkerProcess) -> bool:
        try:
            return bool(worker._sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False
