"""The files of submitted runs, in the work folder of the results.

submitted-<id>/submission.json     what was submitted, and the job of each share; written by `run --submit` alone
submitted-<id>/share-<n>.json      the cells of one job
submitted-<id>/jobs/               scripts and output of the jobs, written by the executor
submitted-<id>/log-<n>/            log of a job, and output of its workers
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.contracts.executor import KeepModels
from tlbench.running.cells.attempt import Attempt
from tlbench.system.durable import write_durably

_NAME = re.compile(r"submitted-[0-9a-f]{8}")
_CELL = re.compile(r"[0-9a-f]+")
_MAX_BYTES = 2**28


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cells that one job runs, with everything that it needs for them."""

    suite: str
    results: str
    """The folder of results."""
    attempts: tuple[Attempt, ...]
    workers: int
    cores: int
    """Cores of each worker."""
    device: str
    """`cpu` or `cuda`."""
    keep_models: KeepModels
    environment: dict[str, str]
    """Environment variables of tlbench: the folders of data and caches, and the plugin modules to load."""
    devices: int = 1
    """Devices of each worker."""


class SubmittedJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job, and the attempts at cells that it runs."""

    id: str
    """The cluster's id of the job; empty until the cluster has taken it."""
    attempts: tuple[tuple[str, int], ...]
    """The id of each cell, and the number of its attempt."""


class SubmittedRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one `tlbench run --submit` submitted."""

    id: str
    """8 hexadecimal digits."""
    executor: str
    """The executor with its options, as `--executor` takes it."""
    suite: str
    host: str
    """The machine on which it was submitted."""
    began: float
    """Time of the submission, in Unix time."""
    keep_models: KeepModels
    jobs: tuple[SubmittedJob, ...]

    def folder(self, work: Path) -> Path:
        """Returns the folder of the submission's files."""
        return work / f"submitted-{self.id}"


def write_submission(work: Path, submission: SubmittedRun) -> None:
    """Writes what was submitted; an older state of the same submission is replaced."""
    write_durably(submission.folder(work) / "submission.json", msgspec.json.encode(submission))


def read_submissions(work: Path) -> list[SubmittedRun]:
    """Returns the submissions whose records are not all collected, oldest first; damaged files are left out."""
    found = []
    for path in _folders(work):
        file = path / "submission.json"
        with suppress(OSError, msgspec.DecodeError):
            if file.is_file() and not file.is_symlink() and file.stat().st_size <= _MAX_BYTES:
                submission = msgspec.json.decode(file.read_bytes(), type=SubmittedRun)
                # Ids become paths, and the file may come from somebody else.
                cells = [cell for job in submission.jobs for cell, _ in job.attempts]
                if submission.id == path.name.removeprefix("submitted-") and all(map(_CELL.fullmatch, cells)):
                    found.append(submission)
    return sorted(found, key=lambda one: one.began)


def remove_submission(work: Path, submission: SubmittedRun) -> None:
    """Removes the files of a submission."""
    shutil.rmtree(submission.folder(work), ignore_errors=True)


def _folders(work: Path) -> Iterator[Path]:
    with suppress(OSError):
        for path in work.iterdir():
            if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                yield path
