"""The time that a search has taken, over all processes that worked on it; a file keeps it while they work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.system.background.periodic import called_every

HEARTBEAT_SECONDS = 1.0
"""Time between two updates of the file: a kill loses less than this."""
_MOST_BYTES = 100


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
        self._earlier = 0.0
        with suppress(OSError, ValueError):
            self._earlier = max(0.0, float(read_regular_file(file, _MOST_BYTES)))

    @property
    def elapsed(self) -> float:
        """The seconds so far, of this process and earlier ones."""
        return self._earlier + self._now() - self._began

    def save(self) -> None:
        """Writes the time to the file; ignores errors of writing."""
        temporary = self._file.with_name(f".{self._file.name}.tmp")
        with suppress(OSError):
            temporary.write_text(f"{self.elapsed:.2f}\n", encoding="ascii")
            temporary.replace(self._file)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Writes the file again and again while the block runs, and once more at its end."""
        self.save()
        try:
            with called_every(HEARTBEAT_SECONDS, self.save, "tlbench-find-clock"):
                yield
        finally:
            self.save()
