"""Asks Slurm's programs for its limits and for the states of jobs, and cancels jobs.

`squeue` is asked and not `sacct`, which submitit uses: many clusters, small ones above all, keep no accounts.
"""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Sequence

from tlbench import JobState, UsageError

TIMEOUT_SECONDS = 60.0
_WAITING = {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD", "CONFIGURING"}
_RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"}
_JOB = re.compile(r"\d+(?:_\d+)?")


def asked(*command: str) -> str:
    """Returns what one of Slurm's programs prints.

    Raises:
        UsageError: The program is not installed, fails or does not answer.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except FileNotFoundError:
        raise UsageError(f"slurm: this machine has no {command[0]}; give this command on a login node") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"slurm: {command[0]} did not answer within {TIMEOUT_SECONDS:g} s") from None
    if done.returncode != 0:
        raise UsageError(f"slurm: {command[0]}: {' '.join(done.stderr.split())[:300] or 'it failed without a word'}")
    return done.stdout


@functools.cache
def most_array_tasks() -> int:
    """Returns how many tasks the cluster takes in one array, its MaxArraySize.

    Raises:
        UsageError: Slurm does not answer.
    """
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", asked("scontrol", "show", "config"), re.MULTILINE)
    # The highest index is one lower, and the first index is 0.
    return max(1, int(match[1])) if match else 1000


def job_states(jobs: Sequence[str]) -> dict[str, JobState]:
    """Returns the state of each job that Slurm still knows, by its id, such as `17` or `17_3` for a task of an array.

    Raises:
        UsageError: Slurm does not answer.
    """
    wanted = {job for job in jobs if _JOB.fullmatch(job)}
    if not wanted:
        return {}
    # All of the user's jobs: naming a job that Slurm has forgotten makes squeue fail for the others too.
    lines = asked("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T|%r|%N").splitlines()
    states = {}
    for line in lines:
        job, _, rest = line.partition("|")
        name, _, more = rest.partition("|")
        reason, _, host = more.partition("|")
        if job in wanted:
            detail = name if reason in {"None", ""} else f"{name} ({reason})"
            phase = "waiting" if name in _WAITING else "running" if name in _RUNNING else "ended"
            states[job] = JobState(phase, detail, host.strip())
    return states


def cancel(jobs: Sequence[str]) -> None:
    """Cancels jobs; those that have ended are left.

    Raises:
        UsageError: Slurm does not answer.
    """
    arrays = sorted({job.partition("_")[0] for job in jobs if _JOB.fullmatch(job)})
    if arrays:
        asked("scancel", "--quiet", *arrays)
