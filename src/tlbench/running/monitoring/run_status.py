"""The state of a run as a plain value, and the file that shows it to `tlbench status` in another terminal."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.contracts.record import Record
from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.running.monitoring.order_progress import OrderProgress
from tlbench.running.monitoring.time_left import TimeLeft

SILENT_SECONDS = 60.0
"""Age in seconds from which a status file no longer counts as that of a live run; it is written every few seconds."""
_NAME = re.compile(r"running-[0-9a-f]{8}\.json")
_MAX_BYTES = 2**24


class OrderStatus(msgspec.Struct, frozen=True):
    """The order that one worker is carrying out, and its cell."""

    worker: int
    cell: str
    """The id of the cell."""
    strategy: str
    backbone: str
    task: str
    phase: str
    """The progress of the cell, such as `trial 3/16`, `seed 1/3` or `scoring`."""
    seconds: float
    """Time in seconds since the order was submitted."""


class RunStatus(msgspec.Struct, frozen=True):
    """The state of a run at one moment."""

    run: str
    suite: str
    pid: int
    host: str
    began: float
    """Start of the run, in Unix time."""
    updated: float
    """Moment that this status describes, in Unix time."""
    total: int
    """Number of cells of the plan."""
    done: int
    failed: int
    """Number of cells that this run ended without scores; they are among `done`."""
    workers: int
    orders: tuple[OrderStatus, ...] = ()
    seconds_left: float | None = None
    is_rough: bool = False
    """Whether `seconds_left` is partly taken from earlier runs or from fits of other kinds."""
    log: str = ""
    """Path of the log of the run."""
    worker_log: str = ""
    """Path of the file with the output of the workers."""

    def is_alive(self, now: float) -> bool:
        """Returns whether the run is still going on.

        It is if its status is recent and, for a run on this machine, its process exists.
        """
        if self.host == socket.gethostname() and not _exists(self.pid):
            return False
        return now - self.updated < SILENT_SECONDS


class RunState:
    """Follows a run, and gives its status at any moment."""

    def __init__(self, status: RunStatus, time_left: TimeLeft, clock: Callable[[], float]) -> None:
        self._status, self._time_left, self._clock = status, time_left, clock
        self._done, self._failed = status.done, status.failed
        self.progress: Callable[[], Sequence[OrderProgress]] = tuple
        """Returns the orders that workers are carrying out; the dispatcher replaces it when it starts."""

    def add(self, record: Record) -> None:
        """Counts a finished cell."""
        self._done += 1
        self._failed += record.status != "ok"
        self._time_left.end(record.cell.id)

    def status(self) -> RunStatus:
        """Returns the status of the run now."""
        running = sorted(self.progress(), key=lambda one: one.worker)
        left = self._time_left.remaining(running)
        return msgspec.structs.replace(
            self._status,
            updated=self._clock(),
            done=self._done,
            failed=self._failed,
            orders=tuple(_order_status(one) for one in running),
            seconds_left=left.seconds if left else None,
            is_rough=left.is_rough if left else False,
        )


def status_path(work: Path, run: str) -> Path:
    """Returns the path of a run's status file in the work folder of the results."""
    return work / f"running-{run}.json"


def write_status(work: Path, status: RunStatus) -> None:
    """Writes the status file of a run; ignores errors of writing, since they must not end the run."""
    path = status_path(work, status.run)
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_bytes(msgspec.json.encode(status))
        temporary.replace(path)
    except OSError:
        # What a full disk has taken of it would otherwise stay.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_status(work: Path, run: str) -> None:
    """Removes the status file of a run that has ended."""
    with suppress(OSError):
        status_path(work, run).unlink()


def remove_dead(work: Path, now: float) -> None:
    """Removes the status files of runs that are not alive any more; a run calls this when it starts."""
    for status in read_statuses(work):
        if not status.is_alive(now):
            remove_status(work, status.run)


def read_statuses(work: Path) -> list[RunStatus]:
    """Returns the status of each run that is going on or was killed, oldest first; damaged files are left out."""
    found = []
    with suppress(OSError):
        for path in work.iterdir():
            if _NAME.fullmatch(path.name):
                with suppress(OSError, msgspec.DecodeError):
                    found.append(msgspec.json.decode(read_regular_file(path, _MAX_BYTES), type=RunStatus))
    return sorted(found, key=lambda status: status.began)


def _order_status(progress: OrderProgress) -> OrderStatus:
    cell = progress.order.cell
    backbone = cell.backbone.name if cell.backbone else ""
    return OrderStatus(
        progress.worker, cell.id, cell.strategy.name, backbone, cell.task.name, progress.phase, progress.seconds
    )


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        # The process of another user exists, too.
        return True
    return True
