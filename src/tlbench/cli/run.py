"""`tlbench run`: runs a plan with a live view, and prints its leaderboard."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.api.watched_run import run_missing
from tlbench.catalog.catalog import Catalog
from tlbench.cli import leaderboard as board
from tlbench.cli.checking.before_run import print_first_checks
from tlbench.cli.checking.cut_texts import cut_text_lines
from tlbench.cli.kept_model_texts import kept_lines
from tlbench.cli.progress.next_steps import next_steps, out_option
from tlbench.cli.progress.watch import shown
from tlbench.cli.recorded.show_cell import search_text
from tlbench.cli.run_facts import run_facts
from tlbench.cli.shell.verbosity import is_quiet, note
from tlbench.cli.text_tables import console
from tlbench.contracts.cell import Plan
from tlbench.contracts.record import Record
from tlbench.results.records.cell_ids import distinct_length
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.results.render.view import View
from tlbench.running.cells.attempt import Attempt
from tlbench.running.monitoring.run_status import RunState
from tlbench.running.monitoring.time_texts import duration
from tlbench.running.run import OnRecord, Settings
from tlbench.running.staleness import has_other_code

if TYPE_CHECKING:
    from rich.console import Console


def run_plan(plan: Plan, catalog: Catalog, settings: Settings, out: Path, as_json: bool = False) -> int:
    """Runs the cells of a plan that have no record yet, and prints the leaderboard.

    With `as_json`, standard output has the JSON of `run_facts` alone, and standard error all else.

    Returns:
        The exit status: 0, or 1 if a cell has no score.

    Raises:
        UsageError: An unknown executor or device, or a folder that cannot be written.
    """
    if not as_json:
        return _run_and_print(plan, catalog, settings, out)[0]
    with redirect_stdout(sys.stderr):
        status, facts = _run_and_print(plan, catalog, settings, out)
    print(json.dumps(facts, indent=1))
    return status


def _run_and_print(plan: Plan, catalog: Catalog, settings: Settings, out: Path) -> tuple[int, dict[str, Any]]:
    began, terminal = time.monotonic(), console()
    ended = run_missing(plan, catalog, settings, out, _PrintedRun(plan, catalog, terminal))
    store, attempts, not_recorded = ended.store, ended.attempts, ended.not_recorded
    ids = {cell.id for cell in plan.cells}
    records = board.load(store, ids)
    table = board.frame(store, records, plan.cells)
    view = View(references=plan.references, id_digits=distinct_length(store.attempts()))
    board.print_table(terminal, table, plan.suite, view)
    for cell, reason in not_recorded[:10]:
        print(f"not run: {printable(cell.title)}: {printable(reason)}", file=sys.stderr)
    ran = {attempt.cell.id for attempt in attempts} - ended.recorded_elsewhere.keys()
    for text in cut_text_lines([record for record in records if record.cell.id in ran], catalog)[:10]:
        note(text)
    status = _print_summary(plan, records, catalog, out, ran, time.monotonic() - began, len(ended.recorded_elsewhere))
    for place, count in Counter(ended.recorded_elsewhere.values()).items():
        cells = "cell is" if count == 1 else "cells are"
        print(printable(f"{count} {cells} recorded at {place}: `tlbench merge` unites the folders"))
    if settings.keep_models != "none":
        for text in kept_lines(records, out):
            note(text)
    if not is_quiet():
        for step in next_steps(table, plan, catalog, out):
            print(step)
    return 1 if not_recorded else status, run_facts(plan, ended, records, table, out, time.monotonic() - began)


@dataclass(frozen=True)
class _PrintedRun:
    """Prints what a user of the command line sees of a run."""

    plan: Plan
    catalog: Catalog
    terminal: Console

    def damaged(self, file: Unreadable) -> None:
        note(printable(f"tlbench: {file.message}; its cell is run again"))

    def begins(self, attempts: Sequence[Attempt]) -> None:
        _print_skips(self.plan)
        print_first_checks([attempt.cell.task.name for attempt in attempts], self.catalog)

    def stopping(self) -> None:
        note("tlbench: stopping; what workers finish within 3 s is kept, and Ctrl-C again stops at once")

    def shown(self, state: RunState, store: Store) -> AbstractContextManager[OnRecord]:
        return shown(state, self.terminal, store, self.plan)


def _print_skips(plan: Plan) -> None:
    for skip in plan.skips[:10]:
        note(f"skipped: {printable(skip.title)}: {printable(skip.reason)}")
    if len(plan.skips) > 10:
        note(f"skipped: {len(plan.skips) - 10} more; `tlbench plan` lists them")


def _print_summary(
    plan: Plan, records: list[Record], catalog: Catalog, out: Path, ran: set[str], seconds: float, elsewhere: int
) -> int:
    """Prints notes, failures (ten at most) and how many cells ran, and returns the exit status.

    The status is 1 if a cell of the plan has no score or no readable record, else 0.

    Args:
        plan: The plan.
        records: The records of the plan's cells.
        catalog: The installed plugins.
        out: The folder of results.
        ran: The ids of the cells that this run ran.
        seconds: Time since the start of the run.
        elsewhere: Number of cells that other drivers recorded in folders of their own.
    """
    # A cell may be "ok" and have a note, such as a secondary metric that could not be computed.
    for record in [record for record in records if record.status == "ok" and record.reason][:10]:
        note(f"{printable(record.cell.title)}: {printable(record.reason)}")
    searched = [(record, text) for record in records if record.cell.id in ran and (text := search_text(record))]
    for record, text in searched[:10]:
        note(f"{printable(record.cell.title)}: {text}")
    other_code = [record.cell for record in records if record.cell.id not in ran and has_other_code(record, catalog)]
    for name in dict.fromkeys(cell.strategy.name for cell in other_code):
        cells = sum(cell.strategy.name == name for cell in other_code)
        note(
            f"{printable(name)}: its source has changed since {cells} finished {'cell' if cells == 1 else 'cells'} of"
            " this run: increase its `version`, or run them again with --fresh stale"
        )
    failed = [record for record in records if record.status != "ok"]
    for record in failed[:10]:
        print(f"{record.status}: {printable(record.cell.title)}: {printable(record.reason)}", file=sys.stderr)
    if failed:
        # The command is meant to be copied, so it names the folder unless it is the default one.
        show = f"tlbench show {failed[0].cell.id}{out_option(out)}"
        print(
            f"{len(failed)} of {len(plan.cells)} cells have no score: `{show}` says why,"
            f" `tlbench run --retry {failed[0].status} ...` runs those of this kind again",
            file=sys.stderr,
        )
    # Records that cannot be read although this run wrote them: another process or a full disk damaged them.
    if (lost := len(plan.cells) - len(records) - elsewhere) > 0:
        print(f"{lost} of {len(plan.cells)} cells have no record in {out} that can be read", file=sys.stderr)
    if not plan.cells:
        print("nothing to run: all combinations are skipped")
    elif not ran:
        print(f"nothing left to run: {len(records)} of {len(plan.cells)} cells were done before; results in {out}")
    else:
        total = sum(record.seconds.total for record in records if record.cell.id in ran)
        reused = sum(
            fit.taken_over for record in records if record.cell.id in ran for fit in (*record.trials, *record.fits)
        )
        reused_text = f", {reused} {'fit' if reused == 1 else 'fits'} reused from other cells" if reused else ""
        times = f"{len(ran)} of them in {duration(seconds)} ({duration(total)} of work{reused_text})"
        print(f"{len(records)} of {len(plan.cells)} cells, {times}; results in {out}")
    return 1 if failed or lost > 0 else 0
