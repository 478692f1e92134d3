"""`tlbench run`: runs a plan with a live view, and prints its leaderboard."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.catalog.catalog import Catalog
from tlbench.cli import leaderboard as board
from tlbench.cli.checking.before_run import print_first_checks
from tlbench.cli.checking.cut_texts import cut_text_lines
from tlbench.cli.live import LiveView, duration, line
from tlbench.cli.options import out_folder
from tlbench.cli.recorded.show_cell import search_text
from tlbench.cli.text_tables import console
from tlbench.contracts.cell import Cell, Plan
from tlbench.contracts.record import Record
from tlbench.results.records.cell_ids import distinct_length
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.results.render.view import View
from tlbench.running.dispatch import Progress
from tlbench.running.run import Settings, pending_attempts, run, started_executor
from tlbench.running.staleness import has_other_code

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STANDINGS_PAUSES = 20
"""Pause between two updates of the standings, in multiples of the time of an update: updates take at most 5%."""


def run_plan(plan: Plan, catalog: Catalog, settings: Settings, out: Path) -> int:
    """Runs the cells of a plan that have no record yet, and prints the leaderboard.

    Returns:
        The exit status: 0, or 1 if a cell has no score.

    Raises:
        UsageError: An unknown executor or device, or a folder that cannot be written.
    """
    # Looked up before the folder is created, so that a misspelt --executor leaves nothing behind.
    catalog.executor(settings.executor)
    terminal = console()
    store = Store.create(out)
    # Saved before the first fit: `tlbench leaderboard` counts the missing cells of a run that goes on or was stopped.
    store.save_plan(plan)
    with started_executor(plan, store, catalog, settings) as executor:
        capacity = executor.capacity()
        attempts = pending_attempts(plan, store, catalog, settings, capacity, _print_damaged)
        _print_skips(plan)
        not_recorded: list[tuple[Cell, str]] = []
        if attempts:
            print_first_checks([attempt.cell.task.name for attempt in attempts], catalog)
            view = LiveView(plan.suite, len(plan.cells), len(plan.cells) - len(attempts), attempts, capacity.workers)

            def watch(progress: Callable[[], list[Progress]]) -> None:
                view.workers = progress

            with _live_view(view, terminal, store, plan) as on_record:
                summary = run(plan, attempts, store, catalog, settings, executor, on_record, watch)
            not_recorded = summary.not_recorded
    ids = {cell.id for cell in plan.cells}
    records = board.load(store, ids)
    shown = View(id_digits=distinct_length(store.attempts()))
    board.print_table(terminal, board.frame(store, records, plan.cells), plan.suite, shown)
    for cell, reason in not_recorded[:10]:
        print(f"not run: {printable(cell.title)}: {printable(reason)}", file=sys.stderr)
    ran = {attempt.cell.id for attempt in attempts}
    for text in cut_text_lines([record for record in records if record.cell.id in ran], catalog)[:10]:
        print(text, file=sys.stderr)
    status = _print_summary(plan, records, catalog, out, ran)
    return 1 if not_recorded else status


def _print_skips(plan: Plan) -> None:
    for skip in plan.skips[:10]:
        print(f"skipped: {printable(skip.title)}: {printable(skip.reason)}", file=sys.stderr)
    if len(plan.skips) > 10:
        print(f"skipped: {len(plan.skips) - 10} more; `tlbench plan` lists them", file=sys.stderr)


def _print_damaged(file: Unreadable) -> None:
    print(printable(f"tlbench: {file.message}; its cell is run again"), file=sys.stderr)


@contextmanager
def _live_view(view: LiveView, console: Console, store: Store, plan: Plan) -> Iterator[Callable[[Record], None]]:
    """Yields the function that shows a finished cell: in the live view, or as a line if stdout is not a terminal."""
    if not console.is_terminal:

        def print_line(record: Record) -> None:
            view.add(record)
            # Flushed, so that a log file shows how far the run is.
            print(line(record, view.done, view.total), flush=True)

        print(f"{printable(plan.suite)}: {view.done} of {view.total} cells done before", flush=True)
        yield print_line
        return
    from rich.live import Live

    ids = {cell.id for cell in plan.cells}
    records = board.load(store, ids)
    view.standings = _standings(records, plan)

    due = 0.0

    def update(record: Record) -> None:
        nonlocal due
        records.append(record)
        view.add(record)
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


def _print_summary(plan: Plan, records: list[Record], catalog: Catalog, out: Path, ran: set[str]) -> int:
    """Prints how many cells ran and failed, and returns the exit status; `ran` has the ids of this run's cells."""
    # A cell may be "ok" and have a note, such as a secondary metric that could not be computed.
    for record in [record for record in records if record.status == "ok" and record.reason][:10]:
        print(f"{printable(record.cell.title)}: {printable(record.reason)}", file=sys.stderr)
    searched = [(record, text) for record in records if record.cell.id in ran and (text := search_text(record))]
    for record, text in searched[:10]:
        print(f"{printable(record.cell.title)}: {text}", file=sys.stderr)
    other_code = [record.cell for record in records if record.cell.id not in ran and has_other_code(record, catalog)]
    for name in dict.fromkeys(cell.strategy.name for cell in other_code):
        cells = sum(cell.strategy.name == name for cell in other_code)
        print(
            f"{printable(name)}: its source has changed since {cells} finished {'cell' if cells == 1 else 'cells'} of"
            " this run: increase its `version`, or run them again with --fresh stale",
            file=sys.stderr,
        )
    failed = [record for record in records if record.status != "ok"]
    for record in failed[:10]:
        print(f"{record.status}: {printable(record.cell.title)}: {printable(record.reason)}", file=sys.stderr)
    if failed:
        # The command is meant to be copied, so it names the folder unless it is the default one.
        where = "" if out == out_folder(None) else f" --out {shlex.quote(printable(str(out)))}"
        print(
            f"{len(failed)} of {len(plan.cells)} cells have no score: `tlbench show {failed[0].cell.id}{where}` says"
            " why, `tlbench run --fresh failed ...` runs them again",
            file=sys.stderr,
        )
    # Written by this run, and damaged since: another process or a full disk.
    if lost := len(plan.cells) - len(records):
        print(f"{lost} of {len(plan.cells)} cells have no record in {out} that can be read", file=sys.stderr)
    if not plan.cells:
        print("nothing to run: all combinations are skipped")
    elif not ran:
        print(f"nothing left to run: {len(records)} of {len(plan.cells)} cells were done before; results in {out}")
    else:
        total = sum(record.seconds.total for record in records)
        reused = sum(
            fit.taken_over for record in records if record.cell.id in ran for fit in (*record.trials, *record.fits)
        )
        reused_text = f", {reused} {'fit' if reused == 1 else 'fits'} reused from other cells" if reused else ""
        print(f"{len(records)} of {len(plan.cells)} cells, {duration(total)} of work{reused_text}; results in {out}")
    return 1 if failed or lost else 0
