"""`tlbench collect`: commits the records that submitted jobs have finished."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlbench.cli import options as o

if TYPE_CHECKING:
    from tlbench.catalog.catalog import Catalog
    from tlbench.results.records.store import Store
    from tlbench.running.batch_jobs.collect import Collected

POLL_SECONDS = 5.0
"""Interval at which `--wait` asks the cluster."""


def collect(
    wait: Annotated[bool, typer.Option("--wait", help="Go on until no job waits or runs.")] = False,
    json_: o.Json = False,
    out: o.Out = None,
) -> None:
    """Gather the records that jobs of a cluster have finished.

    The jobs are those of `tlbench run --submit`. Works on any machine that has the folder of results, whoever submitted
    and however long ago. Exit status 1 if jobs ended without all of their records: the same `tlbench run --submit`
    submits those cells again.
    """
    from tlbench.catalog.catalog import Catalog
    from tlbench.results.records.store import Store

    folder = o.out_folder(out)
    store, catalog = Store.open(folder), Catalog.discover()
    collected = _collected(store, catalog, wait, not json_)
    if json_:
        print(json.dumps(_as_json(collected, folder), indent=1))
    else:
        _print(collected, folder)
    raise typer.Exit(1 if collected.in_phase("ended") or collected.problems else 0)


def _collected(store: Store, catalog: Catalog, wait: bool, shows: bool) -> Collected:
    from tlbench.cli.progress.run_texts import record_line
    from tlbench.contracts.record import Record
    from tlbench.running.batch_jobs.collect import collect

    plan = store.plan()
    total = len(plan.cells) if plan else 0

    def shown(record: Record) -> None:
        if shows:
            print(record_line(record, len(store.attempts()), max(total, len(store.attempts()))), flush=True)

    collected = collect(store, catalog, shown)
    while wait and collected.in_phase("waiting", "running") and not collected.problems:
        time.sleep(POLL_SECONDS)
        records = collected.records
        collected = collect(store, catalog, shown)
        collected.records[:0] = records
    return collected


def _print(collected: Collected, out: Path) -> None:
    from tlbench.cli.progress.job_texts import job_lines
    from tlbench.cli.progress.next_steps import out_option
    from tlbench.results.render.escaping import printable

    count = len(collected.records)
    failed = sum(record.status != "ok" for record in collected.records)
    scores = f", {failed} of them without a score" if failed else ""
    print(printable(f"{count} {'cell' if count == 1 else 'cells'} collected{scores}; results in {out}"))
    for line in job_lines(collected, out):
        print(line)
    if collected.in_phase("ended"):
        print("the same `tlbench run --submit` as before submits the missing cells again")
    elif not collected.jobs:
        print(f"`tlbench leaderboard{out_option(out)}` shows the results")


def _as_json(collected: Collected, out: Path) -> dict[str, object]:
    from tlbench.cli.progress.job_texts import job_facts

    return {
        "format": 1,
        "out": str(out),
        "collected": [
            {"cell": record.cell.id, "attempt": record.attempt, "status": record.status} for record in collected.records
        ],
        "jobs": [job_facts(job) for job in collected.jobs],
        "problems": collected.problems,
    }
