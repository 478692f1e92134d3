"""A plan in, a full record folder out: what is finished stays, what is missing is run, each record is committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.contracts.errors import StoreError
from tlbench.contracts.executor import CellOrder, Executor
from tlbench.contracts.plan import Plan
from tlbench.contracts.record import Record
from tlbench.contracts.strategy import Strategy
from tlbench.planning.memory import Room, workers_in
from tlbench.results.record_files import Unreadable
from tlbench.results.store import Store
from tlbench.running.generations import together
from tlbench.running.kin import Kin, is_cut_short
from tlbench.running.machine import cores, default_jobs
from tlbench.running.staleness import Now

MOST_ATTEMPTS = 999_999_998
"""The files of more could not be told from others by their names."""
Fresh = Literal["none", "failed", "stale", "all"]
Delivered = Callable[[Record], None]


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


def orders_of(
    plan: Plan,
    store: Store,
    catalog: Catalog,
    settings: Settings,
    unreadable: Callable[[Unreadable], None] = lambda file: None,
) -> list[CellOrder]:
    """Returns an order for each cell of the plan that has no record, or whose record is asked for anew.

    A damaged record is none: its cell is run again, under the next attempt, and `unreadable` is told. One that a newer
    version made is a result, and is made again only where all are (`fresh="all"`).
    """
    attempts = store.attempts()
    # An interrupted --fresh is finished before another begins.
    ids = {cell.id for cell in plan.cells}
    wanted = {cell_id: attempt for cell_id, attempt in store.wanted().items() if cell_id in ids}
    fresh: Fresh = "none" if wanted else settings.fresh
    # Of the whole plan: results differ between thread counts, so an interrupted run must go on with its own.
    threads = max(1, cores() // jobs_for(plan.cells, catalog, settings))
    now = Now(catalog, settings.device, threads)
    kin = Kin(store, ids | attempts.keys(), attempts, now if settings.fresh == "stale" else None)
    orders = []
    for cell in plan.cells:
        cell_id = cell.id
        attempt = attempts.get(cell_id, 0)
        record = store.attempt(cell_id, attempt) if attempt else None
        anew = fresh == "all" or cell_id in wanted or (isinstance(record, Record) and _wanted(record, fresh, now))
        cut_short = isinstance(record, Record) and is_cut_short(record, cell)
        if isinstance(record, Unreadable) and not record.is_newer:
            unreadable(record)
        elif record is not None and not anew and not cut_short:
            continue
        if attempt >= MOST_ATTEMPTS:
            raise StoreError(f"{store.record_path(cell_id, attempt)}: no run makes so many attempts: remove it")
        work = store.work(cell_id, attempt + 1)
        sources = () if anew else kin.sources(cell_id, attempt + 1)
        orders.append(CellOrder(cell, str(work.resolve()), attempt + 1, settings.device, threads, sources))
    return orders


def jobs_of(plan: Plan, orders: Sequence[CellOrder], catalog: Catalog, settings: Settings) -> int:
    """Returns how many workers do what is left of a plan: never more than its threads were counted for."""
    left = jobs_for([order.cell for order in orders], catalog, settings)
    return min(left, jobs_for(plan.cells, catalog, settings))


def jobs_for(cells: Sequence[Cell], catalog: Catalog, settings: Settings) -> int:
    """Returns how many workers find something to do: no more than were asked for, or than the machine has room for.

    An executor that does not take `jobs` has one; asked for several, it gets the threads of one of so many, and so
    computes what they do.
    """
    if settings.jobs is None and not hasattr(catalog.executor(settings.executor).item, "jobs"):
        return 1
    most = settings.jobs or default_jobs(settings.device)
    if settings.jobs is None and settings.room is not None and most > 1:
        most = min(most, workers_in(settings.room, cells, catalog) or most)
    found = 0
    for cell in cells:
        if found >= most:
            break
        found += width(cell, catalog.strategy(cell.strategy.name).item)
    return min(most, max(1, found))


def width(cell: Cell, strategy: Strategy) -> int:
    """Returns how many of a cell's fits can be in work at the same time."""
    if strategy.batch_size > 1 or cell.backbone is None:
        return 1
    return max(len(cell.protocol.seeds), min(cell.protocol.trials, together(cell.protocol, 0)))


def run(
    plan: Plan,
    orders: Sequence[CellOrder],
    store: Store,
    catalog: Catalog,
    settings: Settings,
    delivered: Delivered = lambda record: None,
) -> Summary:
    """Runs the orders and commits every record as it comes; returns what was done.

    Raises:
        StoreError: A record could not be stored; what was stored before stays.
    """
    summary = Summary(len(plan.cells), len(plan.cells) - len(orders))
    executor = _executor(catalog, settings, jobs_of(plan, orders, catalog, settings))
    wanted, asked = store.wanted(), {order.cell.id: order.attempt for order in orders}
    if settings.fresh != "none" and not wanted.keys() & asked.keys():
        store.save_wanted(wanted | asked)  # another plan's, left unfinished, stays asked for

    def deliver(record: Record, work: Path) -> None:
        if store.commit(record, work):
            # What a cell without a score has finished is there for a run that goes on with it.
            if record.status == "ok":
                store.tidy(work)
            catalog.recorded(record.cell, record)
        summary.records.append(record)
        delivered(record)

    executor.run(orders, deliver)
    return summary


def _wanted(record: Record, fresh: Fresh, now: Now) -> bool:
    if fresh == "none":
        return False
    if fresh == "failed":
        return record.status != "ok"
    return fresh == "all" or now.differs(record)


def _executor(catalog: Catalog, settings: Settings, jobs: int) -> Executor:
    executor = catalog.executor(settings.executor).item
    if hasattr(executor, "jobs"):
        executor = cast(Executor, replace(cast(Any, executor), jobs=jobs))
    return executor
