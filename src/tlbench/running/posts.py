"""Fits of one cell that any process may take: posted as files, claimed by a lock that the kernel frees on any death.

fit-t<n>.json, fit-s<s>.json   a posted fit: trial n of the search, or the final fit at seed s; locked while in work
kept-<n>                       locked by the process that still has the predictor of trial n
memory-<pid>.json              what a process that helped has needed
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from tlbench.contracts.record import FitOrder, Memory


class Posts:
    """The posted fits in a cell's work folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: int | None = None

    def put(self, order: FitOrder) -> None:
        """Posts a fit; one that is posted already stays as it is."""
        path = self._path(order)
        if path.exists():
            return
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(msgspec.json.encode(order))
        temporary.replace(path)

    def orders(self) -> list[FitOrder]:
        """Returns every fit that was posted, done or not."""
        found = []
        for path in sorted(self._root.glob("fit-*.json")):
            with suppress(FileNotFoundError):
                found.append(msgspec.json.decode(path.read_bytes(), type=FitOrder))
        return found

    @contextmanager
    def claim(self, order: FitOrder) -> Iterator[bool]:
        """Yields whether the fit is this process's to do until the block ends."""
        handle = _locked(self._path(order))
        try:
            yield handle is not None
        finally:
            if handle is not None:
                os.close(handle)

    def hold(self, trial: int) -> None:
        """Says that this process has the predictor of a trial, and of no other."""
        self.let_go()
        self._held = _locked(self._kept(trial), os.O_CREAT)

    def let_go(self) -> None:
        """Says that this process has no predictor."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def is_held_elsewhere(self, trial: int) -> bool:
        """Says whether another process has the predictor of a trial; do not ask for one's own."""
        if not self._kept(trial).exists():
            return False
        handle = _locked(self._kept(trial))
        if handle is None:
            return True
        os.close(handle)
        return False

    def note_memory(self, memory: Memory) -> None:
        """Keeps what this process, which helps, has needed so far."""
        path = self._root / f"memory-{os.getpid()}.json"
        known = [msgspec.json.decode(path.read_bytes(), type=Memory)] if path.exists() else []
        path.write_bytes(msgspec.json.encode(most([*known, memory])))

    def memories(self) -> list[Memory]:
        """Returns what each process that helped has needed."""
        found = []
        for path in self._root.glob("memory-*.json"):
            with suppress(OSError, msgspec.DecodeError):
                found.append(msgspec.json.decode(path.read_bytes(), type=Memory))
        return found

    def _path(self, order: FitOrder) -> Path:
        key = f"t{order.trial}" if order.purpose == "search" else f"s{order.seed}"
        return self._root / f"fit-{key}.json"

    def _kept(self, trial: int) -> Path:
        return self._root / f"kept-{trial}"


def most(memories: Sequence[Memory]) -> Memory:
    """Returns the highest of what each process needed: they are not added up.

    Of the machine's own memory that of the process that needed most beyond what it had when it began, so that what is
    added to a baseline is never another's.
    """
    host = max(memories, key=_added)
    return Memory(
        host.host_baseline_bytes,
        host.host_peak_bytes,
        _highest(memory.device_allocated_bytes for memory in memories),
        _highest(memory.device_reserved_bytes for memory in memories),
    )


def _added(memory: Memory) -> int:
    return (memory.host_peak_bytes or 0) - (memory.host_baseline_bytes or 0)


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _locked(path: Path, flags: int = 0) -> int | None:
    """Returns a handle that holds the file's lock, or None where another has it or there is no file."""
    try:
        handle = os.open(path, os.O_RDWR | flags, 0o644)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
