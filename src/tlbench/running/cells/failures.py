"""Records of cells that ended without scores."""

from __future__ import annotations

from tlbench.contracts.record import FitResult, Record, Status
from tlbench.running.cells.attempt import Attempt


class CellFailed(Exception):
    """Raised to end a cell without scores; it carries the status, reason and traceback for the record."""

    def __init__(self, status: Status, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.traceback = status, reason, traceback


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
