"""Shows a run while it goes on: in a live view, or as lines if stdout is not a terminal; and writes its status file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.cli import leaderboard as board
from tlbench.cli.progress.live import LiveView
from tlbench.cli.progress.texts import progress_line, record_line
from tlbench.cli.shell.verbosity import is_quiet
from tlbench.contracts.cell import Plan
from tlbench.contracts.record import Record
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.running.monitoring.run_status import RunState, RunStatus, remove_dead, remove_status, write_status

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STANDINGS_PAUSES = 20
"""Pause between two updates of the standings, in multiples of the time of an update: updates take at most 5%."""
LINE_SECONDS = 60.0
"""Time between two lines about a run whose output is not a terminal."""
STATUS_SECONDS = 2.0
"""Time between two updates of the status file."""
OnRecord = Callable[[Record], None]


class Reporter:
    """Writes the status file and prints lines when they are due; called every second."""

    def __init__(self, state: RunState, work: Path, began: float, print_line: Callable[[str], None] | None) -> None:
        """Starts with the status file due at once, and the first line after `LINE_SECONDS`.

        Args:
            state: The state of the run.
            work: The work folder of the results.
            began: Time of the run's start.
            print_line: Prints a line about the run; None prints none.
        """
        self._state, self._work, self._print = state, work, print_line
        self._line_due, self._status_due = began + LINE_SECONDS, began

    def tick(self, now: float) -> None:
        """Writes the status file and prints a line, each if it is due at the time `now`, in seconds since the epoch."""
        is_line_due = self._print is not None and now >= self._line_due
        if not is_line_due and now < self._status_due:
            return
        status = self._state.status()
        if now >= self._status_due:
            self._status_due = now + STATUS_SECONDS
            write_status(self._work, status)
        if self._print is not None and is_line_due:
            # Not `+=`, which would print all missed lines at once after the machine was suspended.
            self._line_due = now + LINE_SECONDS
            self._print(progress_line(status))


@contextmanager
def shown(state: RunState, console: Console, store: Store, plan: Plan) -> Iterator[OnRecord]:
    """Shows a run while the block runs; yields the function that shows a finished cell."""
    status = state.status()
    work = store.root / "work"
    if is_quiet():
        print_line, view = None, _hidden(state)
    elif console.is_terminal:
        print_line, view = None, _live(state, console, store, plan)
    else:
        print_line, view = _print_line, _lines(state, status, plan)
    reporter = Reporter(state, work, status.began, print_line)
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(1.0):
            reporter.tick(time.time())

    remove_dead(work, status.began)
    reporter.tick(status.began)
    thread = threading.Thread(target=tick, name="tlbench-reporter", daemon=True)
    thread.start()
    try:
        with view as on_record:
            yield on_record
    finally:
        ended.set()
        thread.join()
        remove_status(work, status.run)


def _print_line(text: str) -> None:
    # Flushed, so that a log file shows how far the run is.
    print(text, flush=True)


@contextmanager
def _hidden(state: RunState) -> Iterator[OnRecord]:
    yield state.add


@contextmanager
def _lines(state: RunState, status: RunStatus, plan: Plan) -> Iterator[OnRecord]:
    done = status.done

    def print_record(record: Record) -> None:
        nonlocal done
        state.add(record)
        done += 1
        _print_line(record_line(record, done, status.total))

    _print_line(f"{printable(plan.suite)}: {status.done} of {status.total} cells done before")
    yield print_record


@contextmanager
def _live(state: RunState, console: Console, store: Store, plan: Plan) -> Iterator[OnRecord]:
    from rich.live import Live

    records = board.load(store, {cell.id for cell in plan.cells})
    view = LiveView(state.status)
    view.standings = _standings(records, plan)
    due = 0.0

    def update(record: Record) -> None:
        nonlocal due
        records.append(record)
        state.add(record)
        if (began := time.monotonic()) >= due:
            view.standings = _standings(records, plan)
            # For thousands of cells the table takes longer than a small cell, and would keep the workers waiting.
            due = began + STANDINGS_PAUSES * (time.monotonic() - began)

    # Transient: the live view is erased at the end, and the final leaderboard printed in its place.
    with Live(view, console=console, refresh_per_second=4, transient=True):
        yield update


def _standings(records: list[Record], plan: Plan) -> RenderableType | None:
    from tlbench.results.leaderboard import frame
    from tlbench.results.render.standings import standings

    return standings(frame(records, expected=plan.cells)) if records else None
