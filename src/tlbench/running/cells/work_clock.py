"""Measures how long a cell has been worked on."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass
class WorkClock:
    """Adds up the time during which at least one order of a cell is running; parallel orders count once."""

    seconds: float = 0.0
    running: int = 0
    started: float = 0.0

    def start(self) -> None:
        """Marks the start of an order."""
        if self.running == 0:
            self.started = time.monotonic()
        self.running += 1

    def stop(self) -> None:
        """Marks the end of an order."""
        self.running -= 1
        if self.running == 0:
            self.seconds += time.monotonic() - self.started

    def elapsed(self) -> float:
        """Returns the time so far in seconds, including the time of orders that are still running."""
        return self.seconds + (time.monotonic() - self.started if self.running else 0.0)
