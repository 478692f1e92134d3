"""`tlbench run --submit`: puts the missing cells into a cluster's queue and returns."""

from __future__ import annotations

from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.cli.progress.job_texts import job_lines
from tlbench.cli.progress.next_steps import out_option
from tlbench.cli.shell.verbosity import note
from tlbench.contracts.cell import Plan
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.results.render.escaping import printable
from tlbench.running.batch_jobs.collect import collect
from tlbench.running.batch_jobs.submit import batch_plugin, submit
from tlbench.running.run import Settings


def submit_plan(plan: Plan, catalog: Catalog, settings: Settings, out: Path) -> int:
    """Collects what earlier jobs have finished, and submits the cells that have no record and are in no job.

    Returns:
        The exit status: 0.

    Raises:
        UsageError: The executor takes no jobs, the cluster does not answer, or the folder cannot be written.
    """
    batch_plugin(catalog, settings.executor)
    store = Store.create(out)
    store.save_plan(plan)
    collected = collect(store, catalog)
    submission = submit(plan, store, catalog, settings, collected, _damaged)
    if collected.records:
        note(f"{len(collected.records)} cells collected of earlier jobs")
    waiting = sum(len(job.missing) for job in collected.in_phase("waiting", "running"))
    if submission is None:
        done = "no cell is missing" if not waiting else f"nothing more to submit: {waiting} cells are in jobs"
        print(f"{done}; `tlbench collect{out_option(out)}` gathers their records")
        return 0
    cells = sum(len(job.attempts) for job in submission.jobs)
    first, last = submission.jobs[0].id, submission.jobs[-1].id
    jobs = f"{len(submission.jobs)} jobs, {first} to {last}" if len(submission.jobs) > 1 else f"job {first}"
    more = f", {waiting} more are in earlier jobs" if waiting else ""
    print(printable(f"{cells} of {len(plan.cells)} cells submitted as {jobs}{more}; results in {out}"))
    for line in job_lines(collected, out)[:5]:
        note(line)
    print(
        f"`tlbench status{out_option(out)}` shows them, `tlbench collect{out_option(out)}` gathers their records,"
        " from any machine that has this folder"
    )
    return 0


def _damaged(file: Unreadable) -> None:
    note(printable(f"tlbench: {file.message}; its cell is run again"))
