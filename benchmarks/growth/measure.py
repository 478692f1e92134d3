"""A command measured from outside: seconds of the whole process, bytes of it and its children."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Measured:
    """Measurements of several runs of one command."""

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    """Processor seconds over all cores, which depend little on other load of the machine."""
    peak_bytes: int
    """Peak memory of the process and its children, shared memory counted once."""

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


def tlbench(*arguments: str) -> list[str]:
    """Returns the command line of a tlbench command in a process of its own."""
    return [sys.executable, "-m", "tlbench", *arguments]


def environment(**extra: str) -> dict[str, str]:
    """Returns the environment of a measured command, in which plugins of the benchmarks can be imported."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "120", "HF_HUB_OFFLINE": "1", **extra}


def measured(
    command: Sequence[str], rounds: int, env: Mapping[str, str], before: Callable[[], None] = lambda: None
) -> Measured:
    """Returns measurements of several rounds after a warm-up round; `before` is called before each.

    Memory is watched in a round of its own, since watching takes time.

    Raises:
        RuntimeError: The command failed.
    """
    before()
    peak = _peak_bytes(command, env)
    seconds, cpu = [], []
    for _ in range(rounds):
        before()
        worked, began = _worked(), time.perf_counter()
        done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        seconds.append(time.perf_counter() - began)
        cpu.append(_worked() - worked)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')[-2000:]}")
    return Measured(tuple(seconds), tuple(cpu), peak)


def _worked() -> float:
    """Returns the processor seconds of all ended child processes and their children."""
    times = os.times()
    return times.children_user + times.children_system


def _peak_bytes(command: Sequence[str], env: Mapping[str, str]) -> int:
    peak = 0
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _bytes_of(watched))
            time.sleep(_POLL_SECONDS)
    return peak


def _bytes_of(process: psutil.Process) -> int:
    total = 0
    for each in _family(process):
        try:
            info = each.memory_full_info()
        except psutil.Error:
            continue
        # Shared pages are shared out, where the system says how.
        total += getattr(info, "pss", 0) or info.rss
    return total


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
