"""Shows a run while it goes on: in a live view, or as lines if stdout is not a terminal; and writes its status file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tlbench.api.run_reporter import reporting
from tlbench.cli import leaderboard as board
from tlbench.cli.progress.live import LiveView
from tlbench.cli.progress.run_texts import progress_line, record_line
from tlbench.cli.shell.verbosity import is_quiet
from tlbench.contracts.cell import Plan
from tlbench.contracts.record import Record
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.running.monitoring.run_status import RunState, RunStatus

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STANDINGS_PAUSES = 20
"""Pause between two updates of the standings, in multiples of the time of an update: updates take at most 5%."""
OnRecord = Callable[[Record], None]


@contextmanager
def shown(state: RunState, console: Console, store: Store, plan: Plan) -> Iterator[OnRecord]:
    """Shows a run while the block runs; yields the function that shows a finished cell."""
    status = state.status()
    if is_quiet():
        print_status, view = None, _hidden(state)
    elif console.is_terminal:
        print_status, view = None, _live(state, console, store, plan)
    else:
        print_status, view = _print_status, _lines(state, status, plan)
    with reporting(state, store.root / "work", print_status), view as on_record:
        yield on_record


def _print_status(status: RunStatus) -> None:
    _print_line(progress_line(status))


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
