"""Writes the status file of a run while it goes on, and says once a minute where it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tlbench.running.monitoring.run_status import RunState, RunStatus, remove_dead, remove_status, write_status
from tlbench.system.background.periodic import called_every

LINE_SECONDS = 60.0
"""Time between two lines about a run whose output is not a terminal."""
STATUS_SECONDS = 2.0
"""Time between two updates of the status file."""
OnStatus = Callable[[RunStatus], None]


class Reporter:
    """Writes the status file and tells the status of a run when they are due; called every second."""

    def __init__(self, state: RunState, work: Path, began: float, tell: OnStatus | None) -> None:
        """Starts with the status file due at once, and the first status to tell after `LINE_SECONDS`.

        Args:
            state: The state of the run.
            work: The work folder of the results.
            began: Time of the run's start.
            tell: Is told the status of the run; None for nobody.
        """
        self._state, self._work, self._tell = state, work, tell
        self._line_due, self._status_due = began + LINE_SECONDS, began

    def tick(self, now: float) -> None:
        """Does what is due at the time `now`, in seconds since the epoch."""
        is_line_due = self._tell is not None and now >= self._line_due
        if not is_line_due and now < self._status_due:
            return
        status = self._state.status()
        if now >= self._status_due:
            self._status_due = now + STATUS_SECONDS
            write_status(self._work, status)
        if self._tell is not None and is_line_due:
            # Not `+=`, which would tell all missed lines at once after the machine was suspended.
            self._line_due = now + LINE_SECONDS
            self._tell(status)


@contextmanager
def reporting(state: RunState, work: Path, tell: OnStatus | None = None) -> Iterator[None]:
    """Keeps the status file of a run while the block runs, and removes it afterwards; `tell` is told once a minute."""
    status = state.status()
    reporter = Reporter(state, work, status.began, tell)
    remove_dead(work, status.began)
    reporter.tick(status.began)
    try:
        with called_every(1.0, lambda: reporter.tick(time.time()), "tlbench-reporter"):
            yield
    finally:
        remove_status(work, status.run)
