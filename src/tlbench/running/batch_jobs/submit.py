"""Divides the cells that are missing into shares, and gives each to a cluster's queue as a job."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.batches.batch_executor import BatchExecutorPlugin
from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import ExecutorRequest
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.running.batch_jobs.collect import Collected
from tlbench.running.batch_jobs.submission_files import (
    Share,
    SubmittedJob,
    SubmittedRun,
    read_submissions,
    remove_submission,
    write_submission,
)
from tlbench.running.cells.attempt import Attempt
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.longest_first import longest_first
from tlbench.running.run import Settings, check_devices, own_environment, pending_attempts, useful_workers

MOST_WORKERS = 2
"""Any number above one: `longest_first` sorts for several workers."""


def batch_plugin(catalog: Catalog, executor: str) -> BatchExecutorPlugin:
    """Returns the executor of this name, which takes jobs.

    Raises:
        UsageError: There is no such executor, or it cannot take jobs.
    """
    plugin = catalog.executor(executor).item
    if not isinstance(plugin, BatchExecutorPlugin):
        raise UsageError(
            f"--submit: the executor {executor} works only while this command runs; give one that has a queue, as"
            " --executor 'slurm[partition=NAME]' of the plugin tlbench-slurm"
        )
    return plugin


def submit(
    plan: Plan,
    store: Store,
    catalog: Catalog,
    settings: Settings,
    collected: Collected,
    unreadable: Callable[[Unreadable], None] = lambda file: None,
) -> SubmittedRun | None:
    """Submits the cells of a plan that have no record and are in no job that waits or runs.

    Args:
        plan: The cells.
        store: The results folder.
        catalog: The installed plugins.
        settings: The settings of the run; its executor takes the jobs.
        collected: What collecting found just before: the jobs of earlier submissions.
        unreadable: Called with each damaged record.

    Returns:
        The submission, or None if nothing is missing.

    Raises:
        UsageError: The cluster does not answer or takes no job; jobs that it took before are recorded and stay.
    """
    plugin = batch_plugin(catalog, settings.executor)
    if collected.problems:
        # Without the states of the earlier jobs their cells would be run twice.
        raise UsageError(f"nothing is submitted: {collected.problems[0]}")
    useful = useful_workers(plan.cells, catalog, settings.room if settings.jobs is None else None)
    request = ExecutorRequest(settings.jobs, useful, settings.device, devices=settings.devices)
    capacity = plugin.batch_capacity(request)
    check_devices(settings, capacity)
    attempts = pending_attempts(plan, store, catalog, settings, capacity, unreadable)
    _refuse_faults(attempts)
    if settings.fresh != "none" and not store.wanted().keys() & {attempt.cell.id for attempt in attempts}:
        store.save_wanted(store.wanted() | {attempt.cell.id: attempt.number for attempt in attempts})
    submitted = {one for job in collected.in_phase("waiting", "running") for one in job.missing}
    attempts = [attempt for attempt in attempts if (attempt.cell.id, attempt.number) not in submitted]
    _remove_ended(store, collected)
    if not attempts:
        return None
    ordered = longest_first(attempts, catalog, MOST_WORKERS)
    count = max(1, min(len(ordered), plugin.number_of_jobs(len(ordered))))
    # Dealt out like cards, so that long and short cells are spread evenly.
    dealt = [tuple(ordered[number::count]) for number in range(count)]
    work = store.root.resolve() / "work"
    jobs = tuple(SubmittedJob("", tuple((one.cell.id, one.number) for one in share)) for share in dealt)
    submission = SubmittedRun(
        secrets.token_hex(4), settings.executor, plan.suite, socket.gethostname(), time.time(), settings.keep_models,
        jobs,
    )  # fmt: skip
    for attempt in attempts:
        # What is left of a record that was deleted must not count as this attempt's.
        CellFolder(Path(attempt.folder)).drop_deleted(Path(attempt.record))
    folder = submission.folder(work)
    (folder / "jobs").mkdir(parents=True)
    paths = []
    for number, share in enumerate(dealt):
        content = Share(
            plan.suite, str(store.root.resolve()), share, capacity.workers, capacity.cores, capacity.device,
            settings.keep_models, own_environment(), capacity.devices,
        )  # fmt: skip
        paths.append(folder / f"share-{number}.json")
        paths[-1].write_bytes(msgspec.json.encode(content))
    return _given(plugin, submission, paths, work)


def _given(plugin: BatchExecutorPlugin, submission: SubmittedRun, paths: Sequence[Path], work: Path) -> SubmittedRun:
    """Gives the shares to the cluster, in as many pieces as it takes; what it took is on disk after each piece."""
    most = max(1, plugin.most_jobs())
    jobs: list[SubmittedJob] = list(submission.jobs)
    for start in range(0, len(paths), most):
        try:
            ids = plugin.submit_batch(paths[start : start + most], submission.folder(work) / "jobs")
        except BaseException:
            if start == 0:
                remove_submission(work, submission)
            raise
        for number, job in enumerate(ids, start):
            jobs[number] = msgspec.structs.replace(jobs[number], id=job)
        submission = msgspec.structs.replace(submission, jobs=tuple(jobs))
        write_submission(work, submission)
    return submission


def _refuse_faults(attempts: Sequence[Attempt]) -> None:
    for attempt in attempts:
        if attempt.fault:
            raise UsageError(attempt.fault)


def _remove_ended(store: Store, collected: Collected) -> None:
    """Removes submissions all of whose jobs have ended: their missing cells are submitted again."""
    work = store.root / "work"
    alive = {job.submission.id for job in collected.in_phase("waiting", "running")}
    for submission in read_submissions(work):
        if submission.id not in alive:
            remove_submission(work, submission)


def attempts_to_run(share: Share) -> list[Attempt]:
    """Returns the attempts of a share that have no committed record, those that nobody has begun first.

    A cell that ended an earlier job of the share is thus the last one to be tried again.
    """
    left = [attempt for attempt in share.attempts if not Path(attempt.record).exists()]
    return sorted(left, key=lambda one: (Path(one.folder) / "began").exists())
