"""Watches the peaks of a process's memory during a block: of all that is resident, and of what is the process's own.

Linux keeps an exact peak of the resident memory, but mapped files and libraries count in it. A thread therefore reads
and resets that peak every 50 milliseconds: within so short a time the pages of files hardly change, so that the peak
without them is the process's own peak, and no allocation between two readings is missed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

from tlbench.system.memory_readings import Reading, children_bytes, read_memory, reset_resident_peak

PERIOD_SECONDS = 0.05


@dataclass
class Growth:
    """The memory that a block needed at its peak, beyond what was in use before it."""

    start_bytes: int = 0
    bytes: int = 0


class MemoryWatch:
    """The peaks of this process's memory since the watch was created."""

    def __init__(self) -> None:
        can_reset = reset_resident_peak()
        self._pid = os.getpid()
        self._can_reset = can_reset
        self._lock = threading.Lock()
        self._last = read_memory()
        self.baseline = self._last.resident if self._last else None
        self.resident_peak = self.baseline
        self.own_peak = self._last.own + _replayed.held_bytes if self._last else None
        self._growths: list[Growth] = []

    @property
    def is_of_this_process(self) -> bool:
        """Whether this process made the watch; False in a child that a fit forked."""
        return self._pid == os.getpid()

    def update(self) -> None:
        """Takes the peaks since the last update into account."""
        with self._lock:
            now, last = read_memory(), self._last
            if now is None or last is None:
                return
            if self._can_reset:
                reset_resident_peak()
            self.resident_peak = max(self.resident_peak or 0, now.resident_peak, now.resident)
            self._raise_to(_own_peak_between(last, now) + children_bytes())
            # without a reset the peak may be old, so it is compared with the most pages of files that there ever were
            self._last = now if self._can_reset else replace(now, files=max(last.files, now.files))

    @contextmanager
    def growth(self) -> Iterator[Growth]:
        """Measures by how much the own memory grows in the block."""
        self.update()
        growth = Growth(self._last.own if self._last else 0)
        self._growths.append(growth)
        try:
            yield growth
        finally:
            self.update()
            self._growths = [other for other in self._growths if other is not growth]

    def add_replayed(self, transient_bytes: int) -> None:
        """Takes into account that the process would now hold more bytes for a moment if there were no cache."""
        self.update()
        with self._lock:
            self._raise_to((self._last.own if self._last else 0) + transient_bytes)

    def _raise_to(self, own: int) -> None:
        for growth in self._growths:
            growth.bytes = max(growth.bytes, own - growth.start_bytes)
        self.own_peak = max(self.own_peak or 0, own + _replayed.held_bytes)


@dataclass
class _Replayed:
    """What this process read from a cache in place of computing and holding it."""

    held_bytes: int = 0
    watch: MemoryWatch | None = None


_replayed = _Replayed()


@contextmanager
def watched_memory(*, sampled: bool = True) -> Iterator[MemoryWatch]:
    """Watches the memory of the block; the peaks can be read when the block has ended.

    Args:
        sampled: Whether a thread takes readings during the block. Without it, the own memory is known at both ends of
            the block and between them only as far as pages of files did not change, and children are not counted.
    """
    watch = MemoryWatch()
    before, _replayed.watch = _replayed.watch, watch
    stop = threading.Event()
    thread = threading.Thread(target=_sample, args=(watch, stop), name="memory-watch", daemon=True) if sampled else None
    if thread is not None:
        thread.start()
    try:
        yield watch
    finally:
        stop.set()
        # In a child that the block forked there is no such thread.
        if watch.is_of_this_process:
            if thread is not None:
                thread.join()
            watch.update()
            _replayed.watch = before


@contextmanager
def memory_growth() -> Iterator[Growth]:
    """Measures by how much the own memory grows in the block, within `watched_memory`; elsewhere it stays 0."""
    watch = _watch()
    with watch.growth() if watch else nullcontext(Growth()) as growth:
        yield growth


def add_cached(peak_bytes: int, held_bytes: int) -> None:
    """Counts what was read from a cache as if this process had computed it, so that memory does not depend on a cache.

    Args:
        peak_bytes: The memory that computing it needed at its peak.
        held_bytes: The memory that it would then hold, but does not hold because it is mapped from a file.
    """
    watch = _watch()
    if watch:
        watch.add_replayed(peak_bytes)
        _replayed.held_bytes += held_bytes


def _watch() -> MemoryWatch | None:
    watch = _replayed.watch
    return watch if watch is not None and watch.is_of_this_process else None


def _sample(watch: MemoryWatch, stop: threading.Event) -> None:
    while not stop.wait(PERIOD_SECONDS):
        watch.update()


def _own_peak_between(last: Reading, now: Reading) -> int:
    """Returns the highest own memory between two readings, at the second of which the peak is of this interval."""
    if now.own_peak is not None:
        return now.own_peak
    # The peak may have been at any moment of the interval. The larger count of files gives what is certain: a mapped
    # file is never taken for own memory.
    between = now.resident_peak - max(last.files, now.files) + min(last.swapped, now.swapped)
    return max(last.own, now.own, between)
