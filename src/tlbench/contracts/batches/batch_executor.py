"""The contract of a batch executor: it gives shares of a run to a cluster's queue, for `tlbench run --submit`.

A share is a list of cells. A job carries one out by calling `tlbench.carry_out_share(path)`, which runs its cells on
the job's machine and leaves their finished records in the folder of results. `tlbench collect` commits them later; no
process has to wait for the jobs meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from tlbench.contracts.executor import Capacity, ExecutorRequest

JobPhase = Literal["waiting", "running", "ended"]


@dataclass(frozen=True)
class JobState:
    """The state of one job, as the cluster tells it."""

    phase: JobPhase
    detail: str = ""
    """What the cluster calls the state, with its reason, such as `PENDING (Resources)` or `TIMEOUT`."""
    host: str = ""
    """The machine on which the job runs or ran."""


@runtime_checkable
class BatchExecutorPlugin(Protocol):
    """An executor plugin that also takes shares of a run as jobs of a queue.

    The folder of results must be on a file system that the jobs can write, under the same path.
    """

    # A property, because a protocol's attribute could be assigned, which a field of a frozen dataclass cannot.
    @property
    def name(self) -> str:
        """The name for `--executor`."""

    def batch_capacity(self, request: ExecutorRequest) -> Capacity:
        """Returns the capacity of one job: its workers, and the cores and the device of each."""

    def number_of_jobs(self, cells: int) -> int:
        """Returns into how many jobs so many cells are divided."""

    def submit_batch(self, shares: Sequence[Path], folder: Path) -> tuple[str, ...]:
        """Puts one job for each share into the queue and returns the jobs' ids, in the order of the shares.

        At most `most_jobs()` shares are given at a time.

        Args:
            shares: The files for `tlbench.carry_out_share`.
            folder: An existing folder for the jobs' scripts and output.

        Raises:
            UsageError: The cluster took none of the jobs; one line that says why.
        """

    def most_jobs(self) -> int:
        """Returns how many jobs the cluster takes in one submission.

        Raises:
            UsageError: The cluster does not answer.
        """

    def job_states(self, jobs: Sequence[str]) -> dict[str, JobState]:
        """Returns the state of each job by its id; a job that the cluster no longer knows has ended.

        Raises:
            UsageError: The cluster does not answer.
        """
