"""The memory of this process and its children: readings of it, and its peaks during a block.

There are two peaks: of all resident memory, and of the process's own memory, without mapped files. Linux keeps an exact
peak of the resident memory, but mapped files, such as libraries, count in it. A thread therefore reads and resets that
peak every 50 milliseconds. The size of mapped files hardly changes in so short a time, so that the peak minus this size
is the peak of the process's own memory, and no allocation between two readings is missed.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tlbench.system.child_processes import children

PERIOD_SECONDS = 0.05
_STATUS_LINE = re.compile(rb"^(VmHWM|VmRSS|RssAnon|RssFile|RssShmem|VmSwap):\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Reading:
    """The memory of this process at one moment, in bytes."""

    resident: int
    resident_peak: int
    """The highest `resident` since the peak was reset, or since the process started."""
    own: int
    """Memory without mapped files: on Linux anonymous and shared pages, resident or swapped out, including pages that a
    forked process still shares with its parent."""
    files: int = 0
    """Resident memory of mapped files, such as libraries and cached activations, which the kernel can drop."""
    swapped: int = 0
    own_peak: int | None = None
    """The highest `own` since the process started, on systems that record it; None on Linux, which does not."""


def read_memory() -> Reading | None:
    """Returns the memory of this process, or None if it cannot be read.

    On Windows `own` is the committed private memory. On other systems without /proc it is all resident memory, and
    `own_peak` is the peak since the process started.
    """
    with suppress(OSError, KeyError):
        kilobytes = {key: int(value) for key, value in _STATUS_LINE.findall(Path("/proc/self/status").read_bytes())}
        values = {key.decode(): 1024 * value for key, value in kilobytes.items()}
        swapped = values.get("VmSwap", 0)
        return Reading(
            values["VmRSS"],
            values["VmHWM"],
            values["RssAnon"] + values["RssShmem"] + swapped,
            values["RssFile"],
            swapped,
        )
    with suppress(ImportError):
        import psutil

        info = psutil.Process(os.getpid()).memory_info()
        if sys.platform == "win32":
            return Reading(info.rss, info.peak_wset, info.pagefile, own_peak=info.peak_pagefile)
        import resource

        # in bytes on macOS, in KiB on other systems
        unit = 1 if sys.platform == "darwin" else 1024
        peak = max(info.rss, unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return Reading(info.rss, peak, info.rss, own_peak=peak)
    return None


def reset_resident_peak() -> bool:
    """Sets the peak of resident memory back to the memory in use; returns whether the system allows it."""
    try:
        # "5" resets VmHWM, which never falls by itself
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def children_bytes() -> int:
    """Returns the memory of this process's descendants that they share with no other process; 0 except on Linux."""
    total = 0
    for pid in _descendants(os.getpid()):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
                if line.startswith((b"Private_Dirty:", b"Swap:")):
                    total += 1024 * int(line.split()[1])
    return total


def _descendants(pid: int) -> Iterator[int]:
    if not os.path.isdir(f"/proc/{pid}/task"):
        return
    for child in children(pid):
        yield child
        yield from _descendants(child)


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
        """Reads the memory and raises the peaks, if it was higher at any moment since the last update."""
        with self._lock:
            now, last = read_memory(), self._last
            if now is None or last is None:
                return
            if self._can_reset:
                reset_resident_peak()
            self.resident_peak = max(self.resident_peak or 0, now.resident_peak, now.resident)
            self._raise_to(_own_peak_between(last, now) + children_bytes())
            # without a reset the peak may be of any earlier moment, so the largest size of files so far is subtracted
            self._last = now if self._can_reset else replace(now, files=max(last.files, now.files))

    @contextmanager
    def growth(self) -> Iterator[Growth]:
        """Measures by how much the process's own memory grows in the block."""
        self.update()
        growth = Growth(self._last.own if self._last else 0)
        self._growths.append(growth)
        try:
            yield growth
        finally:
            self.update()
            self._growths = [other for other in self._growths if other is not growth]

    def add_replayed(self, transient_bytes: int) -> None:
        """Raises the peak as if the process held more bytes for a moment, which it would if there were no cache."""
        self.update()
        with self._lock:
            self._raise_to((self._last.own if self._last else 0) + transient_bytes)

    def _raise_to(self, own: int) -> None:
        for growth in self._growths:
            growth.bytes = max(growth.bytes, own - growth.start_bytes)
        self.own_peak = max(self.own_peak or 0, own + _replayed.held_bytes)


@dataclass
class _Replayed:
    """The memory that this process would hold in addition, had it computed the data that it read from a cache."""

    held_bytes: int = 0
    watch: MemoryWatch | None = None


_replayed = _Replayed()


@contextmanager
def watched_memory(*, sampled: bool = True) -> Iterator[MemoryWatch]:
    """Watches the memory of the block; the peaks can be read when the block has ended.

    Args:
        sampled: Whether a thread takes readings during the block. Without it, memory is read only at the ends of the
            block: the own peak between them is exact only if the size of mapped files did not change, and children
            that end within the block are not counted.
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
        # A child process that was forked in the block leaves this generator too, but has no thread.
        if watch.is_of_this_process:
            if thread is not None:
                thread.join()
            watch.update()
            _replayed.watch = before


@contextmanager
def memory_growth() -> Iterator[Growth]:
    """Measures by how much the process's own memory grows in the block; 0 outside of `watched_memory`."""
    watch = _watch()
    with watch.growth() if watch else nullcontext(Growth()) as growth:
        yield growth


def add_cached(peak_bytes: int, held_bytes: int) -> None:
    """Counts data that was read from a cache as if this process had computed it; a cache then changes no memory figure.

    Args:
        peak_bytes: The memory that computing the data needed at its peak.
        held_bytes: The memory that the data would take afterwards, but does not take because it is mapped from a file.
    """
    watch = _watch()
    if watch:
        watch.add_replayed(peak_bytes)
        _replayed.held_bytes += held_bytes


def remove_cached(held_bytes: int) -> None:
    """Stops counting data that `add_cached` counted: had this process computed them, it would have freed them now."""
    _replayed.held_bytes = max(0, _replayed.held_bytes - held_bytes)


def _watch() -> MemoryWatch | None:
    watch = _replayed.watch
    return watch if watch is not None and watch.is_of_this_process else None


def _sample(watch: MemoryWatch, stop: threading.Event) -> None:
    while not stop.wait(PERIOD_SECONDS):
        watch.update()


def _own_peak_between(last: Reading, now: Reading) -> int:
    """Returns the highest own memory between two readings; `now.resident_peak` is the peak since the first one."""
    if now.own_peak is not None:
        return now.own_peak
    # The peak may have been at any moment of the interval. The larger size of files is subtracted, so that mapped files
    # never count as own memory.
    between = now.resident_peak - max(last.files, now.files) + min(last.swapped, now.swapped)
    return max(last.own, now.own, between)
