"""Reads the memory of this process and its children, all of it and their own, and finds the peak of several."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tlbench.contracts.record import Memory
from tlbench.system.child_processes import children

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


def peak_memory(memories: Sequence[Memory]) -> Memory:
    """Returns the highest memory use of several processes, field by field.

    Baseline and peak of the host's memory are those of the process with the largest difference between them, so that
    they always belong together.
    """
    host = max(memories, key=_added)
    return Memory(
        host.host_baseline_bytes,
        host.host_peak_bytes,
        _highest(memory.device_allocated_bytes for memory in memories),
        _highest(memory.device_reserved_bytes for memory in memories),
        _highest(memory.host_own_bytes for memory in memories),
    )


def _added(memory: Memory) -> int:
    """Returns the bytes of host memory beyond the baseline; -1 if they were not measured."""
    # Unmeasured memory ranks below that of a process that needed nothing beyond its baseline.
    if memory.host_peak_bytes is None:
        return -1
    return max(0, memory.host_peak_bytes - (memory.host_baseline_bytes or 0))


def _highest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)
