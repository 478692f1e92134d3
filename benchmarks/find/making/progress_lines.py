"""The lines that tell how far the grid is, and how long the rest takes."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.find.making.bill import Bill
from benchmarks.find.making.fit_pieces import BackbonePiece, FitPiece

PRIOR_SECONDS = 60.0
"""How much the estimate before the first fit weighs against what was measured since."""


class ProgressLines:
    """Writes a line for each fit; the estimate of the bill is corrected by the fits so far."""

    def __init__(self, total: int, bill: Bill, write: Callable[[str], None]) -> None:
        """Starts the clock.

        Args:
            total: The number of all fits, made or not.
            bill: What is left to do.
            write: Writes a line.
        """
        self._total, self._bill, self._write = total, bill, write
        self._done = total - bill.fits
        self._began, self._expected = time.monotonic(), 0.0

    def say(self, text: str) -> None:
        """Writes any other line."""
        self._write(text)

    def measured(self, task: str, backbone: str, piece: BackbonePiece) -> None:
        """Writes the line of a backbone's features."""
        scores = ", ".join(f"{score} {value:.3f}" for score, value in piece.feature_scores.items())
        self._write(f"{task}: {backbone}: {scores} ({piece.worked_seconds:.1f} s)")

    def fitted(self, task: str, backbone: str, piece: FitPiece) -> None:
        """Writes the line of a fit."""
        self._done += 1
        self._expected += self._bill.seconds_of_fit(task, backbone)
        scores = f"{100 * piece.correct[-1]:.1f}, test {100 * piece.test_correct:.1f}"
        outcome = scores if piece.status == "ok" else f"{piece.status}: {piece.reason}"
        self._write(
            f"{self._done} of {self._total}, about {self.minutes_left():.0f} min left: {piece.title}: {outcome} "
            f"({piece.worked_seconds:.1f} s)"
        )

    def minutes_left(self) -> float:
        """Returns the expected minutes of the fits that are left, on a clock on the wall."""
        pace = (time.monotonic() - self._began + PRIOR_SECONDS) / (self._expected + PRIOR_SECONDS)
        return max(0.0, self._bill.seconds - self._expected) * pace / 60
