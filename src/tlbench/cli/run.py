"""`tlbench run`: the plan, the run with its live view, the leaderboard."""

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
from tlbench.cli.live import LiveView, duration, line
from tlbench.cli.options import out_folder
from tlbench.contracts.cell import Plan
from tlbench.contracts.record import Record
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.running.dispatch import Progress
from tlbench.running.run import Settings, pending_attempts, run, started_executor

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STANDINGS_PAUSES = 20
"""How many times as long as it took to make the standings they stay as they are."""


def run_plan(plan: Plan, catalog: Catalog, settings: Settings, out: Path) -> int:
    """Runs what is left of a plan and prints its leaderboard; returns the exit status."""
    from rich.console import Console

    catalog.executor(settings.executor)
    console = Console()
    store = Store.create(out)
    store.save_plan(plan)
    with started_executor(plan, store, catalog, settings) as executor:
        capacity = executor.capacity()
        attempts = pending_attempts(plan, store, catalog, settings, capacity, _tell_damaged)
        _tell_skips(plan)
        if attempts:
            view = LiveView(plan.suite, len(plan.cells), len(plan.cells) - len(attempts), attempts, capacity.workers)

            def watch(progress: Callable[[], list[Progress]]) -> None:
                view.workers = progress

            with _shown(view, console, store, plan) as delivered:
                run(plan, attempts, store, catalog, settings, executor, delivered, watch)
    ids = {cell.id for cell in plan.cells}
    records = board.load(store, ids)
    board.print_table(console, board.frame(store, records, plan.cells), plan.suite)
    return _farewell(plan, records, out, {attempt.cell.id for attempt in attempts})


def _tell_skips(plan: Plan) -> None:
    for skip in plan.skips[:10]:
        print(f"skipped: {printable(skip.title)}: {printable(skip.reason)}", file=sys.stderr)
    if len(plan.skips) > 10:
        print(f"skipped: {len(plan.skips) - 10} more; `tlbench plan` lists them", file=sys.stderr)


def _tell_damaged(file: Unreadable) -> None:
    print(printable(f"tlbench: {file.message}; its cell is run again"), file=sys.stderr)


@contextmanager
def _shown(view: LiveView, console: Console, store: Store, plan: Plan) -> Iterator[Callable[[Record], None]]:
    if not console.is_terminal:

        def tell(record: Record) -> None:
            view.add(record)
            print(line(record, view.done, view.total), flush=True)

        print(f"{printable(plan.suite)}: {view.done} of {view.total} cells done before", flush=True)
        yield tell
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
            # Making the table of very many cells takes longer than some of them.
            due = began + STANDINGS_PAUSES * (time.monotonic() - began)

    with Live(view, console=console, refresh_per_second=4, transient=True):
        yield update


def _standings(records: list[Record], plan: Plan) -> RenderableType | None:
    from tlbench.results.leaderboard import frame
    from tlbench.results.render.standings import standings

    return standings(frame(records, expected=plan.cells)) if records else None


def _farewell(plan: Plan, records: list[Record], out: Path, ran: set[str]) -> int:
    for record in [record for record in records if record.status == "ok" and record.reason][:10]:
        print(f"{printable(record.cell.title)}: {printable(record.reason)}", file=sys.stderr)
    failed = [record for record in records if record.status != "ok"]
    for record in failed[:10]:
        print(f"{record.status}: {printable(record.cell.title)}: {printable(record.reason)}", file=sys.stderr)
    if failed:
        where = "" if out == out_folder(None) else f" --out {shlex.quote(printable(str(out)))}"
        print(
            f"{len(failed)} of {len(plan.cells)} cells have no score: `tlbench show {failed[0].cell.id}{where}` says"
            " why, `tlbench run --fresh failed ...` runs them again",
            file=sys.stderr,
        )
    if lost := len(plan.cells) - len(records):
        print(f"{lost} of {len(plan.cells)} cells have no record in {out} that can be read", file=sys.stderr)
    if not ran:
        print(f"nothing left to run: {len(records)} of {len(plan.cells)} cells were done before; results in {out}")
    else:
        total = sum(record.seconds.total for record in records)
        taken = sum(
            fit.taken_over for record in records if record.cell.id in ran for fit in (*record.trials, *record.fits)
        )
        over = f", {taken} {'fit' if taken == 1 else 'fits'} taken over from before" if taken else ""
        print(f"{len(records)} of {len(plan.cells)} cells, {duration(total)} of work{over}; results in {out}")
    return 1 if failed or lost else 0
