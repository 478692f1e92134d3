"""`python -m benchmarks.workers`: prints the costs of workers on this machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from tlbench.catalog.catalog import Catalog
from tlbench.running.fitting.libraries import ALLOCATOR, PRELOADED, QUIET, THREADS
from tlbench.running.forking import Answered, ForkServer, SpawnServer, Start, WorkerPool, WorkerProcess

FORKS, TRIPS, TRIALS = 20, 1000, 1000
SUITE = """
[protocol]
trials = {trials}
sampler = "{sampler}"
[[cells]]
tasks = ["toy-tone"]
backbones = ["toy"]
strategies = ["toy-guess"]
"""
MB = 1e6


ECHO = "builtins:bytes"
"""What workers of this benchmark do with a request: give it back."""


def answered(workers: WorkerPool, worker: WorkerProcess) -> None:
    """Waits for an answer to one request."""
    worker.send(b"x")
    [event] = workers.wait()
    if not isinstance(event, Answered):
        raise RuntimeError(str(event))


def pss(pids: Iterable[int]) -> float:
    """Returns the MB of several processes together, what they share counted once."""
    return float(sum(psutil.Process(pid).memory_full_info().pss for pid in pids)) / MB


def measure_processes(backbone: str, folder: Path) -> None:
    """Prints the time to start workers for a backbone, and the memory of idle ones."""
    imports = Catalog.discover().backbone(backbone).item.imports
    environment = {**QUIET, **ALLOCATOR, **dict.fromkeys(THREADS, "1")}
    with ForkServer(Start(ECHO, folder / "log", PRELOADED, environment)) as workers:
        began = time.perf_counter()
        first = workers.fork(modules=imports)
        answered(workers, first)
        print(f"the first worker, with all imports: {time.perf_counter() - began:.2f} s")
        seconds = []
        for _ in range(FORKS):
            began = time.perf_counter()
            worker = workers.fork(modules=imports)
            answered(workers, worker)
            seconds.append(time.perf_counter() - began)
            worker.kill()
            workers.wait()
        print(f"a further worker: {1000 * statistics.median(seconds):.1f} ms (median of {FORKS})")
        began = time.perf_counter()
        for _ in range(TRIPS):
            answered(workers, first)
        print(f"a request and its answer: {1e6 * (time.perf_counter() - began) / TRIPS:.0f} us")
        held = {}
        for count in (1, 2, 4):
            while len(workers.workers) < count:
                answered(workers, workers.fork(modules=imports))
            # The servers are the only other processes that this one has started.
            held[count] = pss(process.pid for process in psutil.Process().children(recursive=True))
            print(f"{count} idle workers and their servers: {held[count]:.0f} MB (PSS)")
        print(f"each further one: {(held[4] - held[2]) / 2:.1f} MB")
    with SpawnServer(Start(ECHO, folder / "log", (PRELOADED[0], *imports), environment)) as spawned:
        for count in (2, 4):
            while len(spawned.workers) < count:
                answered(spawned, spawned.fork())
            apart = pss(process.pid for process in psutil.Process().children())
            print(f"{count} idle workers without a server, each with its own imports: {apart:.0f} MB (PSS)")


def measure_trials(folder: Path) -> None:
    """Prints the time of a whole run of many empty fits."""
    for sampler in ("random", "tpe"):
        suite = folder / f"{sampler}.toml"
        suite.write_text(SUITE.format(trials=TRIALS, sampler=sampler))
        command = [sys.executable, "-m", "tlbench", "run", "--suite", str(suite), "--jobs", "2", "--out"]
        environment = {**os.environ, "TLBENCH_PLUGINS": "tlbench.testing.toy_plugin"}
        began = time.perf_counter()
        subprocess.run([*command, str(folder / sampler)], env=environment, stdout=subprocess.DEVNULL, check=True)
        print(f"{TRIALS} trials on two workers, {sampler}: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        measure_processes(sys.argv[1] if len(sys.argv) > 1 else "minilm-l6", Path(scratch))
        measure_trials(Path(scratch))
