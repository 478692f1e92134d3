"""Carries out a share: what a job of a cluster does on its machine, as a driver with workers of its own."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.executor import ExecutorRequest
from tlbench.contracts.record import Record
from tlbench.running.batch_jobs.submission_files import Share
from tlbench.running.batch_jobs.submit import attempts_to_run
from tlbench.running.cells.attempt import Attempt
from tlbench.running.dispatch import Dispatcher
from tlbench.running.executors.isolated import Isolated
from tlbench.running.monitoring.order_progress import OrderProgress
from tlbench.running.monitoring.run_log import logged, new_run_id
from tlbench.running.monitoring.run_status import RunState, RunStatus, remove_status, write_status
from tlbench.running.run import LOG, order_defaults, time_left
from tlbench.system.background.periodic import called_every

STATUS_SECONDS = 2.0
"""Interval at which a job writes its status file."""
_log = logging.getLogger(__name__)


def carry_out_share(path: Path) -> int:
    """Runs the cells of a share that have no record, and returns their number.

    Each cell's record stays in the cell's folder, for `tlbench collect`. A share may be carried out again, also while
    an earlier job still runs: a cell that is finished or that another process runs is left alone.

    Args:
        path: The file of the share.
    """
    share = msgspec.json.decode(path.read_bytes(), type=Share)
    os.environ.update(share.environment)
    attempts = attempts_to_run(share)
    if not attempts:
        return 0
    catalog = Catalog.discover()
    number = re.sub(r"\D", "", path.stem)
    logs = path.parent / f"log-{number}"
    logs.mkdir(exist_ok=True)
    request = ExecutorRequest(
        share.workers, share.workers, share.device, str(logs / LOG), share.environment, devices=share.devices
    )
    with logged(logs, run := new_run_id()) as log:
        executor = Isolated(jobs=share.workers).start(request)
        try:
            # What was planned for a worker, and not what this machine would have for it: other jobs use the rest.
            capacity = replace(executor.capacity(), cores=share.cores)
            left, times = time_left(attempts, catalog, capacity)
            status = RunStatus(
                run, share.suite, os.getpid(), socket.gethostname(), began := time.time(), began, len(share.attempts),
                len(share.attempts) - len(attempts), failed=0, workers=capacity.workers, log=str(log),
                worker_log=str(logs / LOG),
            )  # fmt: skip
            state = RunState(status, left, time.time)
            defaults = order_defaults(capacity, share.keep_models)
            dispatcher = Dispatcher(executor, catalog, defaults, _noted(state), _give_up, left.finish)
            _run_shown(dispatcher, attempts, state, Path(share.results) / "work")
            times.save()
        finally:
            executor.close()
    return len(attempts)


def _run_shown(dispatcher: Dispatcher, attempts: list[Attempt], state: RunState, work: Path) -> None:
    """Runs attempts and writes the status file that `tlbench status` reads."""

    def progress() -> list[OrderProgress]:
        return dispatcher.progress()

    state.progress = progress
    write_status(work, state.status())
    try:
        with called_every(STATUS_SECONDS, lambda: write_status(work, state.status()), "tlbench-share-status"):
            dispatcher.run(attempts)
    finally:
        remove_status(work, state.status().run)


def _noted(state: RunState) -> Callable[[Record, Path], None]:
    def ended(record: Record, folder: Path) -> None:
        # The cell's folder has the record already; the command that collects it commits it.
        _log.info("%s: %s%s", record.cell.title, record.status, f": {record.reason}" if record.reason else "")
        state.add(record)

    return ended


def _give_up(attempt: Attempt, reason: str) -> None:
    _log.warning("%s: not run: %s", attempt.cell.title, reason)
