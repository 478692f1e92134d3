"""Lines about jobs of a cluster whose records are not all there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tlbench.results.render.escaping import printable
from tlbench.running.batch_jobs.collect import Collected, JobCells

_SHOWN = 10


def job_lines(collected: Collected, out: Path) -> list[str]:
    """Returns lines about jobs: how many wait and run, each of those that ended without all records, and problems."""
    lines = []
    for phase in ("waiting", "running"):
        jobs = collected.in_phase(phase)
        if not jobs:
            continue
        cells = sum(len(job.missing) for job in jobs)
        details = Counter(
            f"{one.state.detail}{f' on {one.state.host}' if one.state.host else ''}" for one in jobs if one.state
        )
        named = ", ".join(f"{count} {detail}" for detail, count in details.most_common(3))
        lines.append(f"{_jobs(len(jobs))} {phase} with {_cells(cells)}: {named}")
    ended = collected.in_phase("ended")
    for one in ended[:_SHOWN]:
        assert one.state is not None
        logs = one.submission.folder(out / "work") / "jobs"
        what = f"job {one.job.id or '(none)'} {one.state.detail}".rstrip()
        lines.append(f"{what}: {_cells(len(one.missing))} without a record; output in {logs}")
    if len(ended) > _SHOWN:
        lines.append(f"and {len(ended) - _SHOWN} more jobs that ended without all records")
    lines += [f"the state of jobs is not known: {problem}" for problem in collected.problems]
    return [printable(line) for line in lines]


def job_facts(job: JobCells) -> dict[str, Any]:
    """Returns what JSON says of a job."""
    state = job.state
    return {
        "submission": job.submission.id,
        "executor": job.submission.executor,
        "job": job.job.id,
        "phase": state.phase if state else "unknown",
        "detail": state.detail if state else "",
        "host": state.host if state else "",
        "cells": [cell for cell, _ in job.missing],
    }


def _jobs(count: int) -> str:
    return f"{count} {'job' if count == 1 else 'jobs'}"


def _cells(count: int) -> str:
    return f"{count} {'cell' if count == 1 else 'cells'}"
