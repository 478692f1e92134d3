"""One night: runs the suite at this commit, compares it with the last good night, and writes the pages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.nightly.history import read_history
from tools.nightly.nights import Finding, Night, Verdict, last_good, open_night, prune, read_nights
from tools.nightly.pages import Comparison, write_pages

Call = Callable[[Sequence[str]], tuple[int, str]]
"""Runs tlbench with arguments and returns its exit status and what it printed."""
SUCCESS, REGRESSION, MISTAKE = 0, 1, 2


@dataclass(frozen=True)
class Job:
    """What a night runs and where its results go."""

    suite: str
    nights: Path
    """Folder of all nights."""
    site: Path
    """Folder of the pages, which is replaced."""
    run_options: tuple[str, ...] = ()
    """Further options of `tlbench run`."""
    margins: tuple[str, ...] = ()
    """Values of `tlbench compare --margin`."""
    keep: int = 60
    """Number of nights that are kept."""
    accept: bool = False
    """Whether a regression of this night is intended."""


def tlbench(arguments: Sequence[str]) -> tuple[int, str]:
    """Runs tlbench in a process of its own; a run shows its progress, what other commands print is returned."""
    shows = arguments[0] == "run"
    done = subprocess.run(
        [sys.executable, "-m", "tlbench", *arguments], check=False, stdout=None if shows else subprocess.PIPE, text=True
    )
    return done.returncode, done.stdout or ""


def hold(job: Job, commit: str, call: Call = tlbench) -> int:
    """Runs a night and returns the exit status: 1 for a regression or a cell without a score.

    Args:
        job: What to run.
        commit: The commit of the code that runs.
        call: Runs tlbench.
    """
    night = open_night(job.nights, commit)
    ran, _ = call(["run", "--suite", job.suite, "--out", str(night.folder), *job.run_options])
    if ran not in (0, 1):
        return ran
    # Only records and predictions are compared; the work folder is many times their size.
    shutil.rmtree(night.folder / "work", ignore_errors=True)
    reference = last_good(read_nights(job.nights), night)
    compared = None if reference is None else _compared(reference, night, job, call)
    if reference is not None and compared is None:
        return MISTAKE
    night = night.found(_finding(job, night, reference, compared))
    prune(read_nights(job.nights), job.keep)
    _, board = call(["leaderboard", "--out", str(night.folder), "--format", "markdown"])
    write_pages(job.site, read_history(read_nights(job.nights)), compared, board)
    print(_sentence(night), flush=True)
    return REGRESSION if night.finding.verdict == "regression" or night.finding.failed else SUCCESS


def _compared(reference: Night, night: Night, job: Job, call: Call) -> Comparison | None:
    """Returns the comparison of a night with an earlier one, or None if the command could not make it."""
    margins = [word for margin in job.margins for word in ("--margin", margin)]
    command = ["compare", str(reference.folder), str(night.folder), *margins]
    status, text = call([*command, "--json"])
    if status not in (SUCCESS, REGRESSION):
        return None
    return Comparison(reference.name, night.name, json.loads(text), call(command)[1])


def _finding(job: Job, night: Night, reference: Night | None, compared: Comparison | None) -> Finding:
    failed = sum(not row.has_score for row in read_history([night]).rows)
    if reference is None or compared is None:
        return Finding("first", failed=failed)
    count = compared.content["regressions"]
    verdict: Verdict = "passed" if not count else "accepted" if job.accept else "regression"
    return Finding(verdict, reference.name, count, failed)


def _sentence(night: Night) -> str:
    finding = night.finding
    against = f", compared with {finding.against}" if finding.against else ""
    failed = f", {finding.failed} cells without a score" if finding.failed else ""
    return f"night {night.name}: {finding.verdict}, {finding.regressions} regressions{failed}{against}"
