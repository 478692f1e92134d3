"""A plan in, a full record folder out: what is finished stays, what is missing is run, each record is committed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell, Plan, Protocol
from tlbench.contracts.errors import StoreError
from tlbench.contracts.executor import Capacity, Executor, ExecutorRequest
from tlbench.contracts.record import Record
from tlbench.contracts.strategy import Strategy
from tlbench.planning.capacity import Room, workers_in
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.running.cells.attempt import Attempt, Means
from tlbench.running.cells.related_cells import Kin, is_cut_short
from tlbench.running.dispatch import Dispatcher, Progress
from tlbench.running.longest_first import longest_first
from tlbench.running.staleness import Now

Fresh = Literal["none", "failed", "stale", "all"]
Delivered = Callable[[Record], None]
Watched = Callable[[Callable[[], list[Progress]]], None]
LOG = "workers.log"
MOST_ATTEMPTS = 999_999_998
"""The files of more could not be told from others by their names."""


@dataclass(frozen=True)
class Settings:
    """Where and how a run's cells are run; none of it is part of their identity."""

    executor: str = "isolated"
    jobs: int | None = None
    device: str = "auto"
    fresh: Fresh = "none"
    room: Room | None = None
    """What the workers that nobody counted (`jobs`) may take together; None for no limit."""


@dataclass
class Summary:
    """What a run found done, and what it did."""

    total: int
    done_before: int
    records: list[Record] = field(default_factory=list)


@contextmanager
def started(plan: Plan, store: Store, catalog: Catalog, settings: Settings) -> Iterator[Executor]:
    """Yields the executor that a run asks for, and ends its workers.

    Raises:
        UsageError: There is none of this name, or it cannot give what is asked.
    """
    asked = ExecutorRequest(
        settings.jobs,
        useful(plan.cells, catalog, settings.room if settings.jobs is None else None),
        settings.device,
        str((store.root / "work" / LOG).resolve()),
        _environment(),
    )
    executor = catalog.executor(settings.executor).item.start(asked)
    try:
        yield executor
    finally:
        executor.close()


def attempts_of(
    plan: Plan,
    store: Store,
    catalog: Catalog,
    settings: Settings,
    capacity: Capacity,
    unreadable: Callable[[Unreadable], None] = lambda file: None,
) -> list[Attempt]:
    """Returns an attempt at each cell of the plan that has no record, or whose record is asked for anew.

    A damaged record is none: its cell is run again, under the next attempt, and `unreadable` is told. One that a newer
    version made is a result, and is made again only where all are (`fresh="all"`).
    """
    attempts = store.attempts()
    # An interrupted --fresh is finished before another begins.
    ids = {cell.id for cell in plan.cells}
    wanted = {cell_id: attempt for cell_id, attempt in store.wanted().items() if cell_id in ids}
    fresh: Fresh = "none" if wanted else settings.fresh
    now = Now(catalog, capacity.device, capacity.cores)
    kin = Kin(store, ids | attempts.keys(), attempts, now if settings.fresh == "stale" else None)
    found = []
    for cell in plan.cells:
        cell_id = cell.id
        number = attempts.get(cell_id, 0)
        record = store.attempt(cell_id, number) if number else None
        anew = fresh == "all" or cell_id in wanted or (isinstance(record, Record) and _wanted(record, fresh, now))
        cut_short = isinstance(record, Record) and is_cut_short(record, cell)
        if isinstance(record, Unreadable) and not record.is_newer:
            unreadable(record)
        elif record is not None and not anew and not cut_short:
            continue
        if number >= MOST_ATTEMPTS:
            raise StoreError(f"{store.record_path(cell_id, number)}: no run makes so many attempts: remove it")
        folder = store.work(cell_id, number + 1)
        sources = () if anew else kin.sources(cell_id, number + 1)
        found.append(Attempt(cell, str(folder.resolve()), number + 1, sources))
    return found


def useful(cells: Sequence[Cell], catalog: Catalog, room: Room | None = None) -> int:
    """Returns how many workers would find something to do, and memory."""
    found = 0
    for cell in cells:
        found += width(cell, catalog.strategy(cell.strategy.name).item)
    found = max(1, found)
    return found if room is None else min(found, workers_in(room, cells, catalog) or found)


def width(cell: Cell, strategy: Strategy) -> int:
    """Returns how many of a cell's fits can be in work at the same time."""
    if strategy.batch_size > 1 or cell.backbone is None:
        return 1
    return max(len(cell.protocol.seeds), together(cell.protocol))


def together(protocol: Protocol) -> int:
    """Returns how many trials can be in work at the same time."""
    if protocol.sampler in {"random", "grid"} and protocol.pruner == "none":
        return protocol.trials
    return min(protocol.trials, protocol.lag)


def run(
    plan: Plan,
    attempts: Sequence[Attempt],
    store: Store,
    catalog: Catalog,
    settings: Settings,
    executor: Executor,
    delivered: Delivered = lambda record: None,
    watched: Watched = lambda progress: None,
) -> Summary:
    """Runs the attempts and commits every record as it comes; returns what was done.

    Args:
        plan: What they are of.
        attempts: What is left of it.
        store: Where records go.
        catalog: What is installed.
        settings: What was asked of the run.
        executor: What carries out the fits.
        delivered: Is told of each record.
        watched: Is given, once, a function that says what is in work.

    Raises:
        StoreError: A record could not be stored; what was stored before stays.
    """
    summary = Summary(len(plan.cells), len(plan.cells) - len(attempts))
    wanted, asked = store.wanted(), {attempt.cell.id: attempt.number for attempt in attempts}
    if settings.fresh != "none" and not wanted.keys() & asked.keys():
        store.save_wanted(wanted | asked)  # another plan's, left unfinished, stays asked for

    def deliver(record: Record, folder: Path) -> None:
        if store.commit(record, folder):
            # What a cell without a score has finished is there for a run that goes on with it.
            if record.status == "ok":
                store.tidy(folder)
            catalog.recorded(record.cell, record)
        summary.records.append(record)
        delivered(record)

    capacity = executor.capacity()
    means = Means(capacity.device, capacity.bf16, capacity.cores, tuple(sorted(_environment().items())))
    dispatcher = Dispatcher(executor, catalog, means, deliver)
    watched(dispatcher.progress)
    dispatcher.run(longest_first(attempts, catalog, capacity.workers))
    return summary


def _wanted(record: Record, fresh: Fresh, now: Now) -> bool:
    if fresh == "none":
        return False
    if fresh == "failed":
        return record.status != "ok"
    return fresh == "all" or now.differs(record)


def _environment() -> dict[str, str]:
    """Returns the variables that say where data and caches are and which plugins there are: a worker has its own."""
    return {name: value for name, value in os.environ.items() if name.startswith("TLBENCH_")}
