"""Commits the records that jobs have finished, and says which jobs wait, run or ended without their records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.batches.batch_executor import BatchExecutorPlugin, JobState
from tlbench.contracts.errors import StoreError, TlbenchError
from tlbench.contracts.record import Record
from tlbench.results.records.commit_marks import is_committed
from tlbench.results.records.store import Store
from tlbench.running.batch_jobs.submission_files import (
    SubmittedJob,
    SubmittedRun,
    read_submissions,
    remove_submission,
)
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.committing import commit_record

OnFinished = Callable[[Record, Path, SubmittedRun], None]
_LOST = JobState("ended", "was never taken by the cluster")


@dataclass(frozen=True)
class JobCells:
    """A job whose records are not all there."""

    submission: SubmittedRun
    job: SubmittedJob
    state: JobState | None
    """None if the cluster does not answer."""
    missing: tuple[tuple[str, int], ...]
    """Its cells without a finished record, with the numbers of their attempts."""


@dataclass
class Collected:
    """The outcome of collecting."""

    records: list[Record] = field(default_factory=list)
    """The records that were committed."""
    jobs: list[JobCells] = field(default_factory=list)
    finished: int = 0
    """Number of finished records that were left uncommitted, when jobs are only looked at."""
    problems: list[str] = field(default_factory=list)
    """Why the state of jobs is not known, one line for each reason."""

    def in_phase(self, *phases: str) -> list[JobCells]:
        """Returns the jobs with missing records in one of these phases."""
        return [one for one in self.jobs if one.state is not None and one.state.phase in phases]


def collect(store: Store, catalog: Catalog, on_record: Callable[[Record], None] = lambda record: None) -> Collected:
    """Commits every finished record of submitted cells, and removes submissions of which nothing is missing.

    A record is committed once: one that another process has committed, or that a repeated job made again, is left.

    Args:
        store: The results folder.
        catalog: The installed plugins; observers are told of each record.
        on_record: Called with each record once it is committed.

    Raises:
        StoreError: A record could not be stored; those stored before are kept.
    """
    work = store.root / "work"
    collected = Collected()

    def commit(record: Record, folder: Path, submission: SubmittedRun) -> None:
        record, is_new = commit_record(record, folder, store, catalog, submission.keep_models)
        if is_new:
            collected.records.append(record)
            on_record(record)

    for submission in _examined(store, catalog, collected, commit):
        remove_submission(work, submission)
    return collected


def submitted_jobs(store: Store) -> Collected:
    """Returns the jobs whose records are not all there; commits nothing and removes nothing."""
    collected = Collected()

    def count(record: Record, folder: Path, submission: SubmittedRun) -> None:
        collected.finished += 1

    _examined(store, Catalog.discover(), collected, count)
    return collected


def _examined(store: Store, catalog: Catalog, collected: Collected, on_finished: OnFinished) -> list[SubmittedRun]:
    """Calls `on_finished` with each finished record that is not committed, and adds jobs with missing records.

    Returns:
        The submissions of which no record is missing.
    """
    whole = []
    for submission in read_submissions(store.root / "work"):
        # The cluster is asked first: a job that ends in between leaves records that are then found.
        states = _states(submission, catalog, collected.problems)
        before = len(collected.jobs)
        for job in submission.jobs:
            missing = []
            for attempt in job.attempts:
                found = _finished(store, attempt, collected)
                if isinstance(found, tuple):
                    on_finished(*found, submission)
                elif found is None:
                    missing.append(attempt)
            if missing:
                state = _LOST if not job.id else None if states is None else states[job.id]
                collected.jobs.append(JobCells(submission, job, state, tuple(missing)))
        if len(collected.jobs) == before:
            whole.append(submission)
    collected.jobs[:] = _without_resubmitted(collected)
    return whole


def _without_resubmitted(collected: Collected) -> list[JobCells]:
    """Returns the jobs, without cells of jobs that have ended if another job has them by now."""
    alive = {one for job in collected.in_phase("waiting", "running") for one in job.missing}
    jobs = []
    for job in collected.jobs:
        is_ended = job.state is not None and job.state.phase == "ended"
        missing = tuple(one for one in job.missing if not (is_ended and one in alive))
        if missing:
            jobs.append(replace(job, missing=missing))
    return jobs


def _states(submission: SubmittedRun, catalog: Catalog, problems: list[str]) -> dict[str, JobState] | None:
    ids = [job.id for job in submission.jobs if job.id]
    try:
        plugin = catalog.executor(submission.executor).item
        if isinstance(plugin, BatchExecutorPlugin):
            return {job: JobState("ended", "is unknown to the cluster") for job in ids} | plugin.job_states(ids)
        problem = f"the executor {submission.executor} takes no jobs"
    except TlbenchError as error:
        problem = str(error)
    if problem not in problems:
        problems.append(problem)
    return None


def _finished(
    store: Store, attempt: tuple[str, int], collected: Collected
) -> tuple[Record, Path] | Literal["committed"] | None:
    """Returns the finished record of an attempt with its folder, or whether it is committed, or None."""
    cell_id, number = attempt
    try:
        folder = store.work(cell_id, number)
    except StoreError as error:
        collected.problems.append(str(error))
        return None
    # Also where the record was deleted since.
    if store.record_path(cell_id, number).exists() or is_committed(folder):
        return "committed"
    record = CellFolder(folder).record(cell_id, number) if folder.is_dir() else None
    return None if record is None else (record, folder)
