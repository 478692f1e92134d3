"""Records of cells that ended without scores."""

from __future__ import annotations

from tlbench.contracts.executor import CellOrder
from tlbench.contracts.record import FitResult, Record, Status


class Ended(Exception):
    """A cell that ends without scores, with what its record will say."""

    def __init__(self, status: Status, reason: str, traceback: str = "", trials: tuple[FitResult, ...] = ()) -> None:
        super().__init__(reason)
        self.status, self.reason, self.traceback, self.trials = status, reason, traceback, trials


class OutOfTime(BaseException):
    """Raised by the alarm wherever the cell happens to be; no `except Exception` of a plugin may swallow it."""


def ended(
    order: CellOrder, status: Status, reason: str, traceback: str = "", trials: tuple[FitResult, ...] = ()
) -> Record:
    """Returns the record of a cell that ended without scores."""
    return Record(
        order.cell, status, attempt=order.attempt, reason=reason, traceback=traceback, trials=trials
    )  # fmt: skip
