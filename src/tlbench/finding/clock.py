"""The time that a search has taken, over all processes that worked on it; a file keeps it while they work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from tlbench.system.background.periodic import called_every
from tlbench.system.integrity.sealed_files import read_sealed, write_sealed_quickly

HEARTBEAT_SECONDS = 1.0
"""Time between two updates of the file: a kill loses less than this."""
_MOST_BYTES = 100


class _Elapsed(msgspec.Struct, frozen=True):
    seconds: float


class Clock:
    """Counts the seconds of a search from those that earlier processes left in its file."""

    def __init__(self, file: Path, began: float | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """Reads the time of earlier processes.

        Args:
            file: The file of the time; a missing or damaged one counts as 0 s.
            began: When this process began to work, as `now` counts; None for this moment.
            now: Returns the time in seconds.
        """
        self._file, self._now = file, now
        self._began = now() if began is None else began
        self._earlier = stored_seconds(file) or 0.0

    @property
    def elapsed(self) -> float:
        """The seconds so far, of this process and earlier ones."""
        return self._earlier + self._now() - self._began

    def save(self) -> None:
        """Writes the time to the file; ignores errors of writing."""
        with suppress(OSError):
            write_sealed_quickly(self._file, _Elapsed(round(self.elapsed, 2)))

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Writes the file again and again while the block runs, and once more at its end."""
        self.save()
        try:
            with called_every(HEARTBEAT_SECONDS, self.save, "tlbench-find-clock"):
                yield
        finally:
            self.save()


def stored_seconds(file: Path) -> float | None:
    """Returns the seconds in the file of a clock, or None if it is missing or damaged."""
    # Earlier versions wrote a number alone.
    kind: Any = _Elapsed | float
    stored: _Elapsed | float | None = read_sealed(file, kind)
    seconds = stored.seconds if isinstance(stored, _Elapsed) else stored
    return seconds if seconds is not None and 0 <= seconds < float("inf") else None
