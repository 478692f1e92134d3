"""The executor `slurm`: sends fits to workers in Slurm's queue, and submits whole cells as arrays of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tlbench import Capacity, Executor, ExecutorRequest, JobState, UsageError, carry_out_share
from tlbench_slurm import cluster
from tlbench_slurm.array_jobs import JobRequest, submit_array

MOST_AT_ONCE = 1000
"""Tasks of an array that may run at the same time, unless `array` says fewer."""


@dataclass(frozen=True)
class Slurm:
    """Carries out fits on the machines of a Slurm cluster that share the folder of results with this one.

    With `--submit`, cells are divided among the jobs of an array, and nothing has to wait for them. Otherwise `array`
    jobs stay for as long as this command has fits for them.
    """

    name: str = "slurm"
    partition: str = ""
    """The partition; empty for the cluster's default."""
    time: int = 0
    """Time limit of a job in minutes; 0 for that of the partition. A submitted job that reaches it goes on later."""
    mem: float = 0.0
    """Memory of a job in GiB; 0 for the cluster's default."""
    gpus: int = 0
    """GPUs of a job, each for one worker, or with `--devices N` each N for one."""
    cpus: int = 1
    """Cores of a job, which its workers share."""
    array: int = 16
    """The number of jobs: workers in the queue, or with `--submit` the most jobs into which cells are divided."""
    cells: int = 0
    """With `--submit`, the number of cells in a job; 0 to divide them among `array` jobs."""
    bf16: bool = False
    """Without `--submit`, whether the machines have bf16 arithmetic, which the precision `auto` then uses."""
    more: str = ""
    """Further options of sbatch, as in `slurm[more="account=me qos=long"]`."""

    def start(self, request: ExecutorRequest) -> Executor:
        """Returns an executor whose workers are in the queue.

        Raises:
            UsageError: Slurm does not answer or refuses the jobs.
        """
        from tlbench_slurm.queued_workers import QueuedWorkers

        self._check(request)
        cluster.asked("scontrol", "ping")
        count = min(self.array, request.workers or self.array, max(1, request.useful))
        devices = request.devices
        capacity = Capacity(count, max(1, self.cpus // devices), self._device, self.bf16, True, devices)
        return QueuedWorkers(request, capacity, self._jobs("worker"))

    def batch_capacity(self, request: ExecutorRequest) -> Capacity:
        """Returns the capacity of one job: a worker for each GPU, or with no GPU for each core."""
        self._check(request)
        devices = request.devices
        workers = request.workers or (self.gpus or self.cpus) // devices
        return Capacity(workers, max(1, self.cpus // (workers * devices)), self._device, self.bf16, True, devices)

    def number_of_jobs(self, cells: int) -> int:
        """Returns the number of jobs for so many cells."""
        return -(-cells // self.cells) if self.cells else self.array

    def submit_batch(self, shares: Sequence[Path], folder: Path) -> tuple[str, ...]:
        """Submits an array with a job for each share, and returns the ids of the jobs.

        Raises:
            UsageError: Slurm refuses the array.
        """
        return submit_array(self._jobs("cells"), carry_out_share, shares, folder)

    def most_jobs(self) -> int:
        """Returns the cluster's MaxArraySize.

        Raises:
            UsageError: Slurm does not answer.
        """
        return cluster.most_array_tasks()

    def job_states(self, jobs: Sequence[str]) -> dict[str, JobState]:
        """Returns the states of jobs that Slurm still knows.

        Raises:
            UsageError: Slurm does not answer.
        """
        return cluster.job_states(jobs)

    @property
    def _device(self) -> str:
        return "cuda" if self.gpus else "cpu"

    def _check(self, request: ExecutorRequest) -> None:
        for option in ("time", "mem", "gpus", "cells"):
            if getattr(self, option) < 0:
                raise UsageError(f"slurm[{option}={getattr(self, option)}]: a number from 0 on")
        for option in ("cpus", "array"):
            if getattr(self, option) < 1:
                raise UsageError(f"slurm[{option}={getattr(self, option)}]: a number from 1 on")
        if request.device.startswith("cuda") and not self.gpus:
            raise UsageError(f"--device {request.device}: ask Slurm for a GPU, as --executor 'slurm[gpus=1]'")
        if request.devices > (self.gpus or self.cpus):
            what = "gpus" if self.gpus else "cpus"
            raise UsageError(f"--devices {request.devices}: ask Slurm for as many, as slurm[{what}={request.devices}]")
        if request.device == "cpu" and self.gpus:
            raise UsageError("--device cpu: leave out gpus in --executor 'slurm[...]'")

    def _jobs(self, what: str) -> JobRequest:
        at_once = min(self.array, MOST_AT_ONCE)
        return JobRequest(
            f"tlbench-{what}", self.partition, self.time, self.mem, self.gpus, self.cpus, at_once, self.more
        )
