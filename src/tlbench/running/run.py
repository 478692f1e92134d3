"""Runs a plan: finds the cells without a record, runs them and commits each record as it comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell, Plan, Protocol
from tlbench.contracts.errors import StoreError, UsageError
from tlbench.contracts.executor import RUNG_PRUNERS, Capacity, Executor, ExecutorRequest, KeepModels
from tlbench.contracts.record import Record, Status
from tlbench.contracts.strategy import Strategy
from tlbench.modeling.disk import cache_settings
from tlbench.planning.capacity import Room, workers_in
from tlbench.results.records.record_files import Unreadable, damaged_predictions
from tlbench.results.records.store import Store
from tlbench.running.cells.attempt import Attempt, OrderDefaults
from tlbench.running.cells.hyperparameters import change_since
from tlbench.running.cells.related_cells import RelatedCells, has_more_time
from tlbench.running.committing import commit_record
from tlbench.running.dispatch import Dispatcher, OnFinished
from tlbench.running.longest_first import fit_cost, longest_first
from tlbench.running.monitoring.fit_times import FitTimes
from tlbench.running.monitoring.order_progress import OrderProgress
from tlbench.running.monitoring.time_left import TimeLeft
from tlbench.running.search.strategy_definition import changed_text
from tlbench.running.sharing.shared_studies import SharedStudies
from tlbench.running.staleness import StalenessChecker
from tlbench.system.integrity.sealed_files import put_aside
from tlbench.system.measure import several_devices

Fresh = Literal["none", "failed", "stale", "all"]
"""The records that `--fresh` replaces by running their cells again."""
OnRecord = Callable[[Record], None]
OnStart = Callable[[Callable[[], list[OrderProgress]]], None]
LOG = "workers.log"
FIT_TIMES = "fit-times.json"
"""The file of the times of fits, in the cache folder."""
MOST_ATTEMPTS = 999_999_998
"""The highest attempt number that can be followed by another. In file names an attempt number has at most nine
digits."""


@dataclass(frozen=True)
class Settings:
    """Settings for where and how cells are run; none of them is part of a cell's identity."""

    executor: str = "isolated"
    jobs: int | None = None
    device: str = "auto"
    fresh: Fresh = "none"
    room: Room | None = None
    """The memory that the workers may use, which limits the number of workers unless `jobs` is given; None for no
    limit."""
    keep_models: KeepModels = "none"
    retry: tuple[Status, ...] = ()
    """The statuses of records whose cells are run again; their finished fits are reused."""
    # Left out of the representation: the URL may have a password.
    storage: str = field(default="", repr=False)
    """URL of the database over which drivers share trials; empty without one."""
    devices: int = 1
    """Number of devices of one machine for each fit, as far as its strategy can use them."""


@dataclass
class Summary:
    """The outcome of a run."""

    total: int
    done_before: int
    """Number of cells that already had a record and were not run again."""
    records: list[Record] = field(default_factory=list)
    """The records of this run."""
    not_recorded: list[tuple[Cell, str]] = field(default_factory=list)
    """Cells that could not be run or recorded, each with the reason in one line."""
    recorded_elsewhere: dict[str, str] = field(default_factory=dict)
    """For each cell that a driver which shares its search has recorded, by id: the machine and folder of the record."""


@contextmanager
def started_executor(plan: Plan, store: Store, catalog: Catalog, settings: Settings) -> Iterator[Executor]:
    """Yields the executor that the settings name, and closes it at the end.

    Raises:
        UsageError: There is no executor of this name, or it cannot offer the workers or the device.
    """
    request = ExecutorRequest(
        settings.jobs,
        useful_workers(plan.cells, catalog, settings.room if settings.jobs is None else None),
        settings.device,
        str(store.root.resolve() / "work" / LOG),
        own_environment(),
        settings.room.bytes if settings.room is not None and settings.room.host else None,
        settings.devices,
    )
    executor = catalog.executor(settings.executor).item.start(request)
    try:
        check_devices(settings, executor.capacity())
        yield executor
    finally:
        executor.close()


def check_devices(settings: Settings, capacity: Capacity) -> None:
    """Checks that each fit can have the devices that the settings ask for.

    Raises:
        UsageError: The executor gives a fit fewer devices.
    """
    if capacity.devices != settings.devices:
        raise UsageError(
            f"--devices {settings.devices}: the executor {settings.executor} runs a fit on {capacity.devices};"
            " use isolated, ray or slurm"
        )


def pending_attempts(
    plan: Plan,
    store: Store,
    catalog: Catalog,
    settings: Settings,
    capacity: Capacity,
    unreadable: Callable[[Unreadable], None] = lambda file: None,
) -> list[Attempt]:
    """Returns an attempt for each cell of the plan that has no record, or whose record is to be replaced.

    A cell with a damaged record, or with damaged predictions, is run again as the next attempt, and the damaged file is
    put aside. A record written by a newer version of tlbench counts as a result, and is replaced only by `fresh="all"`.

    Args:
        plan: The cells.
        store: The results folder.
        catalog: The installed plugins.
        settings: The settings of the run; `fresh` and `retry` determine which records are replaced.
        capacity: The executor's capacity; a record made on another device or with another number of threads is stale.
        unreadable: Called with each damaged record.

    Raises:
        UsageError: The strategy of an unfinished cell has changed, and `fresh` does not let the cell start over.
    """
    attempts = store.attempts()
    # An interrupted `--fresh` is finished first; otherwise each interruption would start it over.
    ids = {cell.id for cell in plan.cells}
    wanted = {cell_id: attempt for cell_id, attempt in store.wanted().items() if cell_id in ids}
    fresh: Fresh = "none" if wanted else settings.fresh
    staleness = StalenessChecker(catalog, capacity)
    related = RelatedCells(store, ids | attempts.keys(), attempts, staleness if settings.fresh == "stale" else None)
    found = []
    changed: list[tuple[Cell, str]] = []
    starts_over = settings.fresh in ("stale", "all")
    for cell in plan.cells:
        # Read now, before anybody edits the source that this run has imported.
        catalog.code(cell)
        cell_id = cell.id
        number = attempts.get(cell_id, 0)
        record = store.attempt(cell_id, number) if number else None
        afresh = (
            fresh == "all"
            or cell_id in wanted
            or (isinstance(record, Record) and _is_replaced(record, fresh, staleness))
        )
        goes_on = isinstance(record, Record) and (has_more_time(record, cell) or record.status in settings.retry)
        damaged = record if isinstance(record, Unreadable) else None
        if isinstance(record, Record):
            damaged = damaged_predictions(record, store.root / "records")
        if damaged is not None and not damaged.is_newer:
            unreadable(damaged)
            put_aside(damaged.path, store.root / "damaged")
        elif record is not None and not afresh and not goes_on:
            continue
        # What is run afresh reuses nothing: its fits are what the user doubts.
        sources = () if afresh else related.sources(cell_id, number + 1)
        attempt = _attempt(cell, cell_id, number + 1, sources, starts_over, store)
        if not starts_over and not attempt.fault and (change := change_since(Path(attempt.folder), cell, catalog)):
            changed.append((cell, change))
        found.append(attempt)
    if changed:
        raise UsageError(changed_text(*changed[0], others=len(changed) - 1))
    return found


def _attempt(
    cell: Cell, cell_id: str, number: int, sources: tuple[str, ...], starts_over: bool, store: Store
) -> Attempt:
    """Returns an attempt, with a fault if something in the results folder is in its way."""
    record = store.record_path(cell_id, number)
    try:
        if number > MOST_ATTEMPTS:
            previous = store.record_path(cell_id, number - 1)
            raise StoreError(f"{previous}: no run makes so many attempts; remove this file")
        folder = str(store.work(cell_id, number).resolve())
        return Attempt(cell, folder, number, sources, record=str(record.resolve()), starts_over=starts_over)
    except StoreError as error:
        return Attempt(cell, str(store.root / "work" / f"{cell_id}.{number}"), number, fault=str(error))


def useful_workers(cells: Sequence[Cell], catalog: Catalog, room: Room | None = None) -> int:
    """Returns the number of workers that the cells could keep busy, but no more than fit into the memory `room`."""
    found = 0
    for cell in cells:
        found += parallel_fits(cell, catalog.strategy(cell.strategy.name).item)
    found = max(1, found)
    return found if room is None else min(found, workers_in(room, cells, catalog) or found)


def parallel_fits(cell: Cell, strategy: Strategy) -> int:
    """Returns how many of a cell's fits can run at the same time."""
    # A strategy that fits in passes has one pass in flight at a time.
    if strategy.batch_size > 1 or cell.backbone is None:
        return 1
    return max(len(cell.protocol.seeds), parallel_trials(cell.protocol))


def parallel_trials(protocol: Protocol) -> int:
    """Returns how many of a cell's trials can run at the same time."""
    if protocol.sampler in {"random", "grid"} and protocol.pruner in {"none", *RUNG_PRUNERS}:
        return protocol.trials
    return min(protocol.trials, protocol.lag)


def run(
    plan: Plan,
    attempts: Sequence[Attempt],
    store: Store,
    catalog: Catalog,
    settings: Settings,
    executor: Executor,
    on_record: OnRecord = lambda record: None,
    on_start: OnStart = lambda progress: None,
    on_finished: OnFinished = lambda order, seconds: None,
    sharing: SharedStudies | None = None,
    on_stopping: Callable[[], None] = lambda: None,
) -> Summary:
    """Runs attempts, commits each record as it comes, and returns a summary.

    Args:
        plan: The plan that the attempts belong to.
        attempts: The cells to run.
        store: The results folder.
        catalog: The installed plugins.
        settings: The settings of the run.
        executor: Carries out the orders.
        on_record: Called with each record once it is committed.
        on_start: Called once, with a function that returns the orders that workers are carrying out.
        on_finished: Called with each order that a worker has answered, and the seconds that it took.
        sharing: Where other drivers share the searches of the cells; None for a driver alone.
        on_stopping: Called when the user asks the run to stop, which then stores what still comes within seconds.

    Raises:
        StoreError: A record could not be stored; those stored before are kept.
        UsageError: An error that is no cell's fault, such as a missing device.
    """
    defaults = replace(order_defaults(executor.capacity(), settings.keep_models), sharing=sharing)
    summary = Summary(len(plan.cells), len(plan.cells) - len(attempts))
    wanted, requested = store.wanted(), {attempt.cell.id: attempt.number for attempt in attempts}
    if (settings.fresh != "none" or settings.retry) and not wanted.keys() & requested.keys():
        # Merged, so that an unfinished `--fresh` of another plan is not forgotten.
        store.save_wanted(wanted | requested)

    def commit(record: Record, folder: Path) -> None:
        if defaults.sharing is not None and not defaults.sharing.may_commit(record.cell.id, record.attempt):
            return
        record, _ = commit_record(record, folder, store, catalog, settings.keep_models)
        summary.records.append(record)
        on_record(record)

    def give_up(attempt: Attempt, reason: str) -> None:
        summary.not_recorded.append((attempt.cell, reason))

    if sharing is not None:
        summary.recorded_elsewhere = sharing.recorded_elsewhere
    dispatcher = Dispatcher(executor, catalog, defaults, commit, give_up, on_finished, on_stopping)
    on_start(dispatcher.progress)
    dispatcher.run(longest_first(attempts, catalog, executor.capacity().workers))
    return summary


def order_defaults(capacity: Capacity, keep_models: KeepModels = "none") -> OrderDefaults:
    """Returns the fields that all orders to an executor share."""
    environment = tuple(sorted(own_environment().items()))
    return OrderDefaults(capacity.device, capacity.bf16, capacity.cores, capacity.devices, environment, keep_models)


def time_left(attempts: Sequence[Attempt], catalog: Catalog, capacity: Capacity) -> tuple[TimeLeft, FitTimes]:
    """Returns an estimate of the time left for attempts, and the times of fits from which it is computed.

    Pass `TimeLeft.finish` to `run` as `on_finished`: it adds the times of this run to `FitTimes`, whose `save` keeps
    them for later runs.
    """
    times = FitTimes(cache_settings.folder() / FIT_TIMES)
    left = TimeLeft(
        [attempt.cell for attempt in attempts],
        capacity.workers,
        times,
        f"{several_devices(capacity.device, capacity.devices)}:{capacity.cores}",
        lambda cell: parallel_fits(cell, catalog.strategy(cell.strategy.name).item),
        lambda cell: fit_cost(cell, catalog),
    )
    return left, times


def _is_replaced(record: Record, fresh: Fresh, staleness: StalenessChecker) -> bool:
    if fresh == "none":
        return False
    if fresh == "failed":
        return record.status != "ok"
    return fresh == "all" or staleness.is_stale(record)


def own_environment() -> dict[str, str]:
    """Returns tlbench's environment variables, which workers on other machines don't inherit."""
    return {name: value for name, value in os.environ.items() if name.startswith("TLBENCH_")}
