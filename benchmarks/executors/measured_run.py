"""One measured run of fits that sleep, in a process of its own: `python -m benchmarks.executors.measured_run JSON`."""

from __future__ import annotations

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
    """What a run has to do."""

    executor: str
    workers: int
    cells: int
    trials: int
    """Fits of the search of each cell. With 1 there is no search: a cell is a final fit and its scoring."""
    milliseconds: float
    """What each fit sleeps."""


class Measured(msgspec.Struct, frozen=True):
    """What a run took."""

    load: Load
    fits: int
    start_seconds: float
    """Until the executor has its workers, and has answered the first order."""
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
    """Median of what an order took from its submission to its result, beyond the sleep, with one order at a time."""
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
        return 1000 * self.seconds * self.load.workers / self.fits - self.load.milliseconds

    @property
    def efficiency(self) -> float:
        """The share of the workers' time that was the fits' own work."""
        return self.fits * self.load.milliseconds / (1000 * self.seconds * self.load.workers)


class Watched:
    """An executor that notes when orders are submitted, when they end, and how long the driver waits for them."""

    def __init__(self, inner: Any, purpose: str) -> None:
        """Watches orders of one purpose."""
        self._inner, self._purpose = inner, purpose
        self._submitted: dict[Any, tuple[float, bool]] = {}
        self.took: list[float] = []
        self._waited = 0.0
        self.waited = self.first = self.last = self.driver_cpu = 0.0
        """Time spent waiting, and the driver's processor time, between the first fit's result and the last one's."""
        self.cpu_before = (0.0, 0.0)
        self.capacity, self.close = inner.capacity, inner.close

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


def measure(load: Load) -> Measured:
    """Runs the load in a temporary folder and returns what it took."""
    os.environ["TLBENCH_PLUGINS"] = PLUGINS
    # Workers import nothing from the working directory, which is the one of the whole repository.
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import psutil

    from tlbench.catalog.catalog import Catalog
    from tlbench.planning.plan import plan
    from tlbench.planning.suite import Patch, Suite, SuiteBlock
    from tlbench.results.records.store import Store
    from tlbench.running.run import Settings, pending_attempts, run, started_executor

    with tempfile.TemporaryDirectory() as folder:
        os.environ["TLBENCH_CACHE"] = f"{folder}/cache"
        catalog, store = Catalog.discover(), Store.create(Path(folder) / "out")
        names = tuple(f"sleeping[milliseconds={load.milliseconds},number={n}]" for n in range(1, load.cells + 1))
        block = SuiteBlock(tasks=("toy-tone",), backbones=("toy",), strategies=names)
        protocol = Patch(trials=load.trials, sampler="random", refit=False)
        planned = plan(Suite((block,), "sleeping", protocol=protocol), catalog)
        settings = Settings(load.executor, load.workers, "cpu")
        process = psutil.Process()
        before = process.memory_info().rss
        began = time.perf_counter()
        with started_executor(planned, store, catalog, settings) as inner:
            executor = Watched(inner, "search" if load.trials > 1 else "final")
            attempts = pending_attempts(planned, store, catalog, settings, inner.capacity())
            psutil.cpu_times_percent()
            run(planned, attempts, store, catalog, settings, executor)
            ended, cpu = time.perf_counter(), cpu_seconds()
            busy = 100 - psutil.cpu_times_percent().idle
        # Final fits of searched cells and the scoring of cells are overhead of these fits.
        fits = len(executor.took)
        seconds = executor.last - executor.first
        single = statistics.median(executor.took) * 1000 - load.milliseconds if load.workers == 1 else 0.0
        return Measured(
            load, fits, executor.first - began, seconds, ended - executor.last, seconds - executor.waited,
            executor.driver_cpu, cpu[1] - executor.cpu_before[1], single,
            process.memory_info().rss - before, busy / 100,
        )  # fmt: skip


if __name__ == "__main__":
    print(msgspec.json.encode(measure(msgspec.json.decode(sys.argv[1], type=Load))).decode())
