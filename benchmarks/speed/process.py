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

SAMPLE_SECONDS = 0.5
SAMPLING_SHARE = 0.02
"""Maximum share of a core for sampling memory, for which the kernel walks the pages of every process."""
PARTS = 10
"""Into how many equal parts of a run its memory over time is summed up."""


class SideFailed(Exception):
    """A side failed: its exit status is not 0, or it wrote no report."""


@dataclass
class Measured:
    """Measurements of one process and its children."""

    whole_seconds: float = 0.0
    """From its start to its end, as its user waits."""
    began: float = 0.0
    """By the machine's monotonic clock, which its processes can read too."""
    peak_bytes: int = 0
    """Peak of the sampled memory of all its processes together."""
    over_time_bytes: list[int] = field(default_factory=list)
    """The most at the same time in each tenth of the run."""


def measure(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Measured:
    """Runs a command to its end; what it prints goes to the log.

    Raises:
        SideFailed: Its status is not 0; the message ends with the end of the log.
    """
    sums: list[int] = []
    done = threading.Event()
    with log.open("w", encoding="utf-8") as output:
        began = time.monotonic()
        process = subprocess.Popen(command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT)
        watch = threading.Thread(target=_watch, args=(process.pid, sums, done), daemon=True)
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
    return Measured(seconds, began, max(sums, default=0), over_time(sums))


def over_time(sums: Sequence[int], parts: int = PARTS) -> list[int]:
    """Returns the highest of the samples in each of `parts` equal parts; all of them where they are fewer."""
    if len(sums) <= parts:
        return list(sums)
    bounds = [len(sums) * part // parts for part in range(parts + 1)]
    return [max(sums[low:high]) for low, high in pairwise(bounds)]


def _watch(pid: int, sums: list[int], done: threading.Event) -> None:
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        pause = SAMPLE_SECONDS
        while not done.wait(pause):
            began = time.perf_counter()
            if total := memory(root):
                sums.append(total)
            pause = max(SAMPLE_SECONDS, (time.perf_counter() - began) / SAMPLING_SHARE)


def memory(root: psutil.Process) -> int:
    """Returns the bytes that a process and its descendants take now; a page that n of them share counts once.

    The kernel divides it among them (proportional set size). Where it does not say, resident memory is taken, which
    counts the libraries' code once for each worker.
    """
    return sum(_taken(one) for one in (root, *root.children(recursive=True)))


def _taken(process: psutil.Process) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0
