"""Reads the memory of this process and its children: all resident memory, and their own, without mapped files."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

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
    if not Path(f"/proc/{pid}/task").is_dir():
        return
    for child in children(pid):
        yield child
        yield from _descendants(child)
