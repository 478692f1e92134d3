"""Submits arrays of jobs by submitit, each of which calls one function with one path."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlbench import UsageError

SIGNAL_SECONDS = 60
"""How long before the time limit Slurm tells a job, which then has itself put back into the queue."""
MOST_REQUEUES = 100
"""How often a job may be put back into the queue at its time limit. Each time it goes on where it was."""


@dataclass(frozen=True)
class JobRequest:
    """What is asked of Slurm for each job; fields that are empty or 0 are left to the cluster's defaults."""

    name: str
    partition: str = ""
    minutes: int = 0
    mem_gib: float = 0.0
    gpus: int = 0
    cpus: int = 1
    at_once: int = 0
    """Number of jobs of an array that may run at the same time."""
    more: str = ""
    """Further options of sbatch, as `account=me qos=long`."""


class Restarting:
    """A function of one path as a job that is put back into the queue at Slurm's time limit.

    The function must go on where it was when it is called again with the same path.
    """

    def __init__(self, function: Callable[[Path], Any]) -> None:
        self._function = function

    def __call__(self, path: Path) -> None:
        """Calls the function."""
        # Slurm's signal goes to every process of a job, and would kill workers. A mask is inherited by them, and this
        # process gets the signal through a thread that had none.
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        # Nothing is returned: submitit would pickle it into the folder, and nobody may read a pickle from there.
        self._function(path)

    def checkpoint(self, path: Path) -> Any:
        """Puts the job back into the queue and ends this process; submitit calls it on Slurm's signal.

        submitit would end the process by an exception, which could look like the failure of a cell. What is finished
        is on disk at any moment, so that nothing has to be cleaned up.
        """
        from submitit import JobEnvironment
        from submitit.helpers import DelayedSubmission

        if int(os.environ.get("SLURM_RESTART_COUNT", "0")) < MOST_REQUEUES:
            done = subprocess.run(["scontrol", "requeue", JobEnvironment().job_id], check=False)
            if done.returncode == 0:
                os._exit(0)
        return DelayedSubmission(self, path)


def submit_array(
    request: JobRequest, function: Callable[[Path], Any], paths: Sequence[Path], folder: Path
) -> tuple[str, ...]:
    """Submits one job for each path, as one array, and returns the ids of the jobs in the order of the paths.

    Raises:
        UsageError: Slurm refuses the array.
    """
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    logging.getLogger("submitit").setLevel(logging.ERROR)
    # `%` has a meaning in the names of Slurm's output files.
    if "%" in str(folder):
        raise UsageError(f"slurm: {folder}: Slurm cannot write to a folder with a % in its name: choose another --out")
    try:
        executor = SlurmExecutor(folder=folder, max_num_timeout=MOST_REQUEUES)
        executor.update_parameters(**_parameters(request))
        # submitit repeats what sbatch says, and the error below has it too.
        with redirect_stderr(io.StringIO()), executor.batch():
            jobs = [executor.submit(Restarting(function), path) for path in paths]
    except (FailedJobError, FailedSubmissionError, RuntimeError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        # sbatch's own words are the last line of what submitit raises.
        told = next((line for line in lines if "error:" in line), lines[-1] if lines else type(error).__name__)
        raise UsageError(f"slurm: the jobs were not taken: {' '.join(told.split())[:300]}") from None
    return tuple(job.job_id for job in jobs)


def _parameters(request: JobRequest) -> dict[str, Any]:
    additional: dict[str, Any] = {"signal": f"USR2@{SIGNAL_SECONDS}", "requeue": True}
    additional |= dict(_option(part) for part in request.more.split())
    parameters: dict[str, Any] = {
        "job_name": request.name,
        "cpus_per_task": request.cpus,
        "stderr_to_stdout": True,
        # From 22.05 on srun takes the number of cores no longer from sbatch.
        "srun_args": [f"--cpus-per-task={request.cpus}"],
        "additional_parameters": additional,
    }
    if request.minutes:
        parameters["time"] = request.minutes
    else:
        # submitit's own default is 5 minutes; 0 asks for the partition's limit.
        additional.setdefault("time", "0")
    if request.partition:
        parameters["partition"] = request.partition
    if request.mem_gib:
        parameters["mem"] = f"{round(request.mem_gib * 1024)}M"
    if request.gpus:
        parameters["gpus_per_node"] = request.gpus
    if request.at_once:
        parameters["array_parallelism"] = request.at_once
    return parameters


def _option(text: str) -> tuple[str, Any]:
    key, has_value, value = text.removeprefix("--").partition("=")
    return key, value if has_value else True
