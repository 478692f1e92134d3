"""Measured runs of fits that sleep, in a process of their own: `python -m benchmarks.executors.measured_run JSON`."""

from __future__ import annotations

import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

PLUGINS = "tlbench.testing.toy_plugin,sleeping_plugin"


class Load(msgspec.Struct, frozen=True):
    """What a process has to do."""

    executor: str
    phases: tuple[int, ...]
    """The number of workers of each run, one after another on the same executor."""
    cells: int
    trials: int
    """Fits of the search of each cell. With 1 there is no search: a cell is a final fit and its scoring."""
    milliseconds: float
    """What each fit sleeps."""
    grows: bool = False
    """Whether a run on several workers has so many times more trials."""


class Measured(msgspec.Struct, frozen=True):
    """What a run took."""

    load: Load
    workers: int
    fits: int
    start_seconds: float
    """Until the first result; in the first run that is until the executor has workers, too."""
    seconds: float
    """From the first fit's result to that of the last one."""
    end_seconds: float
    """From then to the end of the run: the last cell's scoring, the export of its search for dashboards."""
    driver_seconds: float
    """What the driver did meanwhile other than waiting for results."""
    driver_cpu_seconds: float
    """Processor time of the driver meanwhile, which other processes that use the cores do not change."""
    worker_cpu_seconds: float
    """Processor time of all other processes of the run, such as workers and the parts of Ray."""
    order_ms: float
    """Median of what an order took from its submission to its result, beyond the sleep."""
    driver_bytes: int
    """The most memory that the driver had, beyond that before the run."""
    cpu_share: float
    """The share of all cores that was busy meanwhile, with this run and with anything else."""

    @property
    def driver_ms(self) -> float:
        """What the driver needs for each fit."""
        return 1000 * self.driver_seconds / self.fits

    @property
    def cpu_ms(self) -> float:
        """Processor time of all processes for each fit: what it costs on cores that nothing else uses."""
        return 1000 * (self.driver_cpu_seconds + self.worker_cpu_seconds) / self.fits

    @property
    def overhead_ms(self) -> float:
        """What a fit costs beyond its own work, in time of one worker."""
        return 1000 * self.seconds * self.workers / self.fits - self.load.milliseconds

    @property
    def efficiency(self) -> float:
        """The share of the workers' time that was the fits' own work."""
        return self.fits * self.load.milliseconds / (1000 * self.seconds * self.workers)


class Watched:
    """An executor that notes when orders are submitted, when they end, and how long the driver waits for them."""

    def __init__(self, inner: Any, workers: int, purpose: str) -> None:
        """Offers some of an executor's workers, and watches orders of one purpose."""
        self._inner, self._workers, self._purpose = inner, workers, purpose
        self._submitted: dict[Any, tuple[float, bool]] = {}
        self.took: list[float] = []
        self._waited = 0.0
        self.waited = self.first = self.last = self.driver_cpu = 0.0
        """Time spent waiting, and the driver's processor time, between the first fit's result and the last one's."""
        self.cpu_before = (0.0, 0.0)
        self.close = inner.close

    def capacity(self) -> Any:
        """Returns the capacity with the number of workers of this run."""
        return dataclasses.replace(self._inner.capacity(), workers=self._workers)

    def submit(self, order: Any) -> Any:
        """Submits an order and notes the time."""
        now = time.perf_counter()
        handle = self._inner.submit(order)
        self._submitted[handle] = now, order.purpose == self._purpose
        return handle

    def wait(self, handles: Iterable[Any], timeout: float | None = None) -> set[Any]:
        """Waits, and notes how long."""
        began = time.perf_counter()
        done: set[Any] = self._inner.wait(handles, timeout)
        now = time.perf_counter()
        if self.first:
            self._waited += now - began
        for handle in done:
            submitted, is_fit = self._submitted.pop(handle)
            if self.first and is_fit:
                self.took.append(now - submitted)
                self.last, self.waited = now, self._waited
                self.driver_cpu = time.process_time() - self.cpu_before[0]
        if done and not self.first:
            self.cpu_before = cpu_seconds()
            self.first = time.perf_counter()
        return done


def cpu_seconds() -> tuple[float, float]:
    """Returns the processor time of this process and of its descendants so far, in seconds."""
    import psutil

    others = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = process.cpu_times()
            others += times.user + times.system + times.children_user + times.children_system
    return time.process_time(), others


def measure(load: Load) -> list[Measured]:
    """Runs each phase of the load in a temporary folder and returns what it took."""
    os.environ["TLBENCH_PLUGINS"] = PLUGINS
    # Workers import nothing from the working directory, which is the one of the whole repository.
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from tlbench.catalog.catalog import Catalog
    from tlbench.contracts.executor import ExecutorRequest

    with tempfile.TemporaryDirectory() as folder:
        os.environ["TLBENCH_CACHE"] = f"{folder}/cache"
        catalog, most = Catalog.discover(), max(load.phases)
        environment = {name: value for name, value in os.environ.items() if name.startswith("TLBENCH_")}
        began = time.perf_counter()
        request = ExecutorRequest(most, most, "cpu", f"{folder}/workers.log", environment)
        executor = catalog.executor(load.executor).item.start(request)
        found = []
        try:
            for number, workers in enumerate(load.phases):
                found.append(_phase(load, number, workers, executor, catalog, Path(folder), began))
                began = time.perf_counter()
        finally:
            executor.close()
        return found


def _phase(load: Load, number: int, workers: int, executor: Any, catalog: Any, folder: Path, began: float) -> Measured:
    import psutil

    from tlbench.planning.plan import plan
    from tlbench.planning.suite import Patch, Suite, SuiteBlock
    from tlbench.results.records.store import Store
    from tlbench.running.run import Settings, pending_attempts, run

    store, first = Store.create(folder / f"out-{number}"), 1 + number * load.cells
    cells = range(first, first + load.cells)
    names = tuple(f"sleeping[milliseconds={load.milliseconds},number={cell}]" for cell in cells)
    block = SuiteBlock(tasks=("toy-tone",), backbones=("toy",), strategies=names)
    trials = load.trials * (workers if load.grows else 1)
    planned = plan(Suite((block,), "sleeping", protocol=Patch(trials=trials, sampler="random")), catalog)
    settings, process = Settings(load.executor, workers, "cpu"), psutil.Process()
    before = process.memory_info().rss
    watched = Watched(executor, workers, "search" if load.trials > 1 else "final")
    attempts = pending_attempts(planned, store, catalog, settings, watched.capacity())
    psutil.cpu_times_percent()
    run(planned, attempts, store, catalog, settings, watched)
    ended, cpu = time.perf_counter(), cpu_seconds()
    busy = 100 - psutil.cpu_times_percent().idle
    # Final fits of searched cells and the scoring of cells are overhead of these fits.
    fits, seconds = len(watched.took), watched.last - watched.first
    return Measured(
        load, workers, fits, watched.first - began, seconds, ended - watched.last, seconds - watched.waited,
        watched.driver_cpu, cpu[1] - watched.cpu_before[1], statistics.median(watched.took) * 1000 - load.milliseconds,
        process.memory_info().rss - before, busy / 100,
    )  # fmt: skip


if __name__ == "__main__":
    print(msgspec.json.encode(measure(msgspec.json.decode(sys.argv[1], type=Load))).decode())
