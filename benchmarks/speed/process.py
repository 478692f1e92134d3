"""Runs one side as a process of its own and measures it from outside: seconds, and the memory of its whole tree."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.25
PARTS = 10
"""Into how many equal parts of a run its memory over time is summed up."""


class SideFailed(Exception):
    """A side ended with another status than 0, or without its report."""


@dataclass
class Measured:
    """What one process and its children took."""

    whole_seconds: float = 0.0
    """From its start to its end, as its user waits."""
    began: float = 0.0
    """By the machine's monotonic clock, which its processes can read too."""
    peak_bytes: int = 0
    """High-water marks of resident memory, summed over its processes, whether or not they stood at the same time."""
    at_once_bytes: int = 0
    """The most resident memory that its processes were seen to have at the same time."""
    over_time_bytes: list[int] = field(default_factory=list)
    """The most at the same time in each tenth of the run."""


def measure(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Measured:
    """Runs a command to its end; what it prints goes to the log.

    Raises:
        SideFailed: Its status is not 0; the message ends with the end of the log.
    """
    marks: dict[int, int] = {}
    sums: list[int] = []
    done = threading.Event()
    with log.open("w", encoding="utf-8") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT)
        watch = threading.Thread(target=_watch, args=(process.pid, marks, sums, done), daemon=True)
        watch.start()
        try:
            status = process.wait()
            seconds = time.monotonic() - began
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            done.set()
            watch.join()
    if status:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SideFailed(f"{' '.join(command)}: status {status}\n{tail}")
    return Measured(seconds, began, sum(marks.values()), max(sums, default=0), over_time(sums))


def over_time(sums: Sequence[int], parts: int = PARTS) -> list[int]:
    """Returns the highest of the samples in each of `parts` equal parts; all of them where they are fewer."""
    if len(sums) <= parts:
        return list(sums)
    bounds = [len(sums) * part // parts for part in range(parts + 1)]
    return [max(sums[low:high]) for low, high in pairwise(bounds)]


def _watch(pid: int, marks: dict[int, int], sums: list[int], done: threading.Event) -> None:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        while not done.wait(SAMPLE_SECONDS):
            if total := sample(root, marks):
                sums.append(total)


def sample(root: psutil.Process, marks: dict[int, int]) -> int:
    """Returns the bytes that a process and its descendants have resident now, and raises their high-water marks."""
    total = 0
    for one in (root, *root.children(recursive=True)):
        peak, now = _resident(one.pid)
        marks[one.pid] = max(marks.get(one.pid, 0), peak)
        total += now
    return total


def _resident(pid: int) -> tuple[int, int]:
    """Returns the high-water mark and the present size of a process's resident memory, in bytes; 0 if it is gone."""
    found = {"VmHWM": 0, "VmRSS": 0}
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) * 1024
    except OSError:
        # Where there is no /proc, what is resident now stands for the mark too.
        with suppress(psutil.Error):
            now = int(psutil.Process(pid).memory_info().rss)
            return now, now
    return found["VmHWM"], found["VmRSS"]
