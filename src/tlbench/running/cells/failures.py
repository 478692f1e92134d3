"""Records of cells that ended without scores, and errors that are no cell's fault."""

from __future__ import annotations

import errno

from tlbench.contracts.errors import StoreError
from tlbench.contracts.record import FitResult, Record, Status
from tlbench.contracts.untrusted.redaction import without_secrets
from tlbench.running.cells.attempt import Attempt

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""Error numbers of a disk that is full or read-only, for which no cell is to blame."""


class CellFailed(Exception):
    """Raised to end a cell without scores; it carries the status, reason and traceback for the record."""

    def __init__(self, status: Status, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.traceback = status, without_secrets(reason), without_secrets(traceback)


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


def raise_if_disk_full(error: OSError, folder: str) -> None:
    """Raises `StoreError` if the disk is full or read-only, which ends the run."""
    if error.errno in DISK_FULL:
        raise StoreError(f"{folder}: {error.strerror or error}") from error
