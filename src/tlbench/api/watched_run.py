"""Runs the cells of a plan that have no record yet, keeps a log and a status file, and tells how far it is."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple
from typing import Protocol as Interface

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell, Plan
from tlbench.contracts.executor import Executor
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.running.cells.attempt import Attempt
from tlbench.running.monitoring.order_progress import OrderProgress
from tlbench.running.monitoring.run_log import logged, new_run_id
from tlbench.running.monitoring.run_status import RunState, RunStatus
from tlbench.running.monitoring.time_texts import duration
from tlbench.running.run import (
    LOG,
    OnRecord,
    Settings,
    Summary,
    pending_attempts,
    run,
    started_executor,
    time_left,
)
from tlbench.running.sharing.shared_studies import SharedStudies, shared_studies

_log = logging.getLogger(__name__)


class RunViewer(Interface):
    """What shows a run to its user; all methods are called from the thread of the run."""

    def damaged(self, file: Unreadable) -> None:
        """Called with each damaged record, whose cell is run again."""

    def begins(self, attempts: Sequence[Attempt]) -> None:
        """Called once before the first fit, with the cells to run."""

    def stopping(self) -> None:
        """Called when the user asks the run to stop, which then stores what still comes within seconds."""

    def shown(self, state: RunState, store: Store) -> AbstractContextManager[OnRecord]:
        """Returns a context manager around the run, which yields what is called with each record."""


class EndedRun(NamedTuple):
    """A run that has ended."""

    store: Store
    attempts: Sequence[Attempt]
    """The cells that it ran."""
    not_recorded: Sequence[tuple[Cell, str]]
    """Cells that could not be run or recorded, each with the reason in one line."""
    recorded_elsewhere: Mapping[str, str]
    """For each cell that another driver recorded, by id: the machine and folder of the record."""


def run_missing(plan: Plan, catalog: Catalog, settings: Settings, out: Path, viewer: RunViewer) -> EndedRun:
    """Runs the cells of a plan that have no record yet; a KeyboardInterrupt leaves all records that are finished.

    Args:
        plan: The cells.
        catalog: The installed plugins.
        settings: Where and how cells are run.
        out: The folder of results, which is created.
        viewer: Shows the run.

    Raises:
        UsageError: An unknown executor or device, or a folder that cannot be written.
    """
    # Looked up before the folder is created, so that a misspelt executor leaves nothing behind.
    catalog.executor(settings.executor)
    store = Store.create(out)
    # Saved before the first fit: `tlbench leaderboard` counts the missing cells of a run that goes on or was stopped.
    store.save_plan(plan)
    with started_executor(plan, store, catalog, settings) as executor:
        capacity = executor.capacity()
        attempts = pending_attempts(plan, store, catalog, settings, capacity, viewer.damaged)
        viewer.begins(attempts)
        if not attempts:
            return EndedRun(store, (), (), {})
        with shared_studies(settings.storage, store.root) as sharing:
            summary = _run_logged(plan, attempts, store, catalog, settings, executor, viewer, sharing)
    return EndedRun(store, attempts, summary.not_recorded, summary.recorded_elsewhere)


def _run_logged(
    plan: Plan,
    attempts: Sequence[Attempt],
    store: Store,
    catalog: Catalog,
    settings: Settings,
    executor: Executor,
    viewer: RunViewer,
    sharing: SharedStudies | None,
) -> Summary:
    """Runs attempts and shows their progress; keeps a log, and the times of fits for the estimates of later runs."""
    capacity, work = executor.capacity(), store.root.resolve() / "work"
    left, times = time_left(attempts, catalog, capacity)
    done = len(plan.cells) - len(attempts)
    with logged(work, run_id := new_run_id()) as log:
        _log.info("%s: %d of %d cells to run, %d workers", plan.suite, len(attempts), len(plan.cells), capacity.workers)
        status = RunStatus(
            run_id, plan.suite, os.getpid(), socket.gethostname(), began := time.time(), began, len(plan.cells), done,
            failed=0, workers=capacity.workers, log=str(log), worker_log=str(work / LOG),
        )  # fmt: skip
        state = RunState(status, left, time.time)

        def start(progress: Callable[[], list[OrderProgress]]) -> None:
            state.progress = progress

        try:
            with viewer.shown(state, store) as on_record:
                return run(
                    plan, attempts, store, catalog, settings, executor, on_record, start, left.finish, sharing,
                    viewer.stopping,
                )  # fmt: skip
        finally:
            times.save()
            _log.info("%s: the run ends after %s", plan.suite, duration(time.time() - began))
