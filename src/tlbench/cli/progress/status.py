"""`tlbench status`: the cells of a folder of results and the runs that work on them, at any moment."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from tlbench.cli.kept_model_texts import models_size
from tlbench.cli.progress.job_texts import job_facts, job_lines
from tlbench.cli.progress.next_steps import out_option
from tlbench.cli.progress.run_texts import order_rows
from tlbench.cli.text_tables import terminal_width
from tlbench.contracts.record import Record
from tlbench.finding.search_state import SearchState, running_searches
from tlbench.results.index import Index
from tlbench.results.models.kept_models import MODELS
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.running.batch_jobs.collect import Collected, submitted_jobs
from tlbench.running.batch_jobs.submission_files import read_submissions
from tlbench.running.monitoring.run_status import RunStatus, read_statuses
from tlbench.running.monitoring.time_texts import duration, left_text

_SHOWN_FAILURES = 10


def print_status(out: Path, as_json: bool) -> None:
    """Prints the numbers of cells of the last plan in each state, and what each run is doing.

    Raises:
        StoreError: The folder has no results.
    """
    store = Store.open(out)
    now = time.time()
    runs = read_statuses(store.root / "work")
    alive, ended = [run for run in runs if run.is_alive(now)], [run for run in runs if not run.is_alive(now)]
    counts, suite = _counts(store, alive)
    searches = running_searches(store.root, now)
    submitted = submitted_jobs(store) if read_submissions(store.root / "work") else Collected()
    failures = _failures(store, alive)
    if as_json:
        content = _json(out, suite, counts, alive, ended, now, searches)
        content["failures"] = [{"cell": one.cell.id, "status": one.status, "reason": one.reason} for one in failures]
        if submitted.jobs or submitted.problems:
            content["jobs"] = [job_facts(job) for job in submitted.jobs]
            content["problems"] = submitted.problems
        # In ASCII, so that nothing in a name can act on a terminal.
        print(json.dumps(msgspec.to_builtins(content), indent=2))
        return
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if state != "cells" and count)
    print(printable(f"{out}: {suite}, {counts['cells']} cells{f': {states}' if states else ''}"))
    if size := models_size(store.root):
        print(printable(f"kept models: {size} in {store.root / MODELS}"))
    for search in searches:
        print(printable(_search_line(search)))
    for line in job_lines(submitted, out):
        print(line)
    if submitted.finished:
        print(f"{submitted.finished} cells are finished and not collected: `tlbench collect{out_option(out)}` does so")
    for run in alive:
        _print_run(run)
    for run in ended:
        age = duration(now - run.updated)
        what = f"run {run.run} stopped {age} ago without ending ({run.pid} on {run.host})"
        print(printable(f"{what}: the same `tlbench run` does the rest; log: {run.log}"))
    if not alive and counts["waiting"] and not submitted.jobs:
        print("no run is going on: the same `tlbench run` as before does the rest")
    for record in failures[:_SHOWN_FAILURES]:
        print(printable(f"{record.status}: {record.cell.title}: {record.reason}"))
    if len(failures) > _SHOWN_FAILURES:
        print(f"and {len(failures) - _SHOWN_FAILURES} more without a score")


def _print_run(run: RunStatus) -> None:
    left = left_text(run)
    parts = [
        f"run {run.run}",
        f"{duration(run.updated - run.began)} so far",
        *([left] if left else []),
        f"{run.workers} {'worker' if run.workers == 1 else 'workers'}",
        f"process {run.pid} on {run.host}",
    ]
    print(printable(", ".join(parts)))
    width = terminal_width()
    for line in order_rows(run, width) or ["starting the workers"]:
        print(f"  {line}")
    print(printable(f"  log: {run.log}; output of the workers: {run.worker_log}"))


def _search_line(state: SearchState) -> str:
    parts = [
        f"search {state.search}: {state.task}, {state.phase}",
        f"{duration(state.elapsed_seconds)} of {duration(state.budget_seconds)}",
        f"{state.finished} {'fit' if state.finished == 1 else 'fits'} done, {state.running} running",
    ]
    if state.best is not None:
        parts.append(f"best {state.metric} {state.best:.4f} by {state.best_candidate}")
    return ", ".join(parts)


def _counts(store: Store, alive: list[RunStatus]) -> tuple[dict[str, int], str]:
    """Returns the number of cells in each state, with the total as `cells`, and the suite, or "all records"."""
    index = Index(store)
    status = {one.cell: one.status for one in index.summaries(_complain).cells}
    plan = store.plan()
    ids = [cell.id for cell in plan.cells] if plan else list(status)
    running = {order.cell for run in alive for order in run.orders}
    counts = {"cells": len(ids), "finished": 0, "failed": 0, "running": 0, "waiting": 0}
    for cell_id in ids:
        # Checked first, because a cell that `--fresh` runs again already has a record.
        if cell_id in running:
            counts["running"] += 1
        elif cell_id not in status:
            counts["waiting"] += 1
        else:
            counts["finished" if status[cell_id] == "ok" else "failed"] += 1
    return counts, plan.suite if plan else "all records"


def _failures(store: Store, alive: list[RunStatus]) -> list[Record]:
    """Returns the records without scores of the last plan's cells, of those that nobody runs again."""
    plan, attempts = store.plan(), store.attempts()
    status = {one.cell: one.status for one in Index(store).summaries(_complain).cells}
    ids = [cell.id for cell in plan.cells] if plan else list(status)
    running = {order.cell for run in alive for order in run.orders}
    failed = [one for one in ids if status.get(one, "ok") != "ok" and one not in running]
    records = [store.attempt(one, attempts[one]) for one in failed if one in attempts]
    return [record for record in records if isinstance(record, Record)]


def _complain(file: Any) -> None:
    print(printable(f"tlbench: {file.message}"), file=sys.stderr)


def _json(
    out: Path,
    suite: str,
    counts: dict[str, int],
    alive: list[RunStatus],
    ended: list[RunStatus],
    now: float,
    searches: list[SearchState],
) -> dict[str, Any]:
    runs = [
        {**msgspec.to_builtins(run), "alive": run in alive, "silent_seconds": round(max(0.0, now - run.updated), 1)}
        for run in (*alive, *ended)
    ]
    content: dict[str, Any] = {"out": str(out), "suite": suite, "cells": counts, "runs": runs}
    if searches:
        content["searches"] = msgspec.to_builtins(searches)
    return content
