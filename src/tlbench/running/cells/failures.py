"""Records of cells that ended without scores."""

from __future__ import annotations

from tlbench.contracts.record import FitResult, Record, Status
from tlbench.running.cells.attempt import Attempt


class CellEnded(Exception):
    """A cell that ends without scores, with what its record will say."""

    def __init__(self, status: Status, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.traceback = status, reason, traceback


def ended(attempt: Attempt, end: CellEnded, trials: tuple[FitResult, ...] = ()) -> Record:
    """Returns the record of a cell that ended without scores."""
    return Record(
        attempt.cell, end.status, attempt=attempt.number, reason=end.reason, traceback=end.traceback, trials=trials
    )  # fmt: skip
