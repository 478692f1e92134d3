"""Records of cells that ended without scores, and errors that are no cell's fault."""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from tlbench.contracts.errors import StoreError
from tlbench.contracts.identity.known_places import without_places
from tlbench.contracts.record import FitResult, Record, Status
from tlbench.contracts.untrusted.redaction import without_secrets
from tlbench.running.cells.attempt import Attempt

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Error numbers of a disk that is full or read-only, for which no cell is to blame."""
FOLDER_FAULTS = {errno.EIO, errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENODEV, errno.EMFILE, errno.ENFILE}
"""Error numbers for which no cell is to blame if they concern a file in the results folder."""


class CellFailed(Exception):
    """Raised to end a cell without scores; it carries the status, reason and traceback for the record."""

    def __init__(self, status: Status, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.traceback = status, _recorded(reason), _recorded(traceback)


def _recorded(text: str) -> str:
    """Returns a text without secrets, and without the folders of files of one's own."""
    return without_places(without_secrets(text))


def failure_record(attempt: Attempt, failure: CellFailed, trials: tuple[FitResult, ...] = ()) -> Record:
    """Returns the record of a cell that ended without scores."""
    return Record(
        attempt.cell,
        failure.status,
        attempt=attempt.number,
        reason=failure.reason,
        traceback=failure.traceback,
        trials=trials,
    )


def failure_of(error: BaseException, folder: str) -> CellFailed:
    """Returns the failure of a cell whose step in the driver raised an error.

    Raises:
        StoreError: The disk is full or read-only, or the cell's folder cannot be written, which ends the run.
    """
    if isinstance(error, StoreError):
        raise error
    if isinstance(error, OSError):
        raise_if_disk_full(error, folder)
    reason = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    return CellFailed("failed", reason, "".join(traceback.format_exception(error)))


def is_folders_fault(error: OSError, folder: str) -> bool:
    """Returns whether the disk is full, read-only or broken, or a file in the folder cannot be written.

    A folder that somebody has removed is a fault of the cell alone.
    """
    is_inside = isinstance(error.filename, str) and bool(folder) and Path(error.filename).is_relative_to(folder)
    return error.errno in DISK_FULL or (is_inside and error.errno in FOLDER_FAULTS)


def raise_if_disk_full(error: OSError, folder: str) -> None:
    """Raises `StoreError`, which ends the run, if the disk or the folder is to blame for an error."""
    if is_folders_fault(error, folder):
        raise StoreError(f"{folder}: {error.strerror or error}") from error
