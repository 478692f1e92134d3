"""An executor with a queue that is a folder: jobs run when a test calls `tlbench.carry_out_share`."""

import os
from dataclasses import dataclass
from pathlib import Path

from tlbench import Capacity, JobState, UsageError, hookimpl

FOLDER = "TLBENCH_TEST_QUEUE"


@dataclass(frozen=True)
class Queue:
    """Takes jobs, at most `most` at a time and `limit` in all, and tells the states that a test has written."""

    name: str = "queue"
    most: int = 2
    limit: int = 100
    cells: int = 1

    def start(self, request):
        raise UsageError("queue: only with --submit")

    def batch_capacity(self, request):
        return Capacity(1, 1, "cpu", isolated=True)

    def number_of_jobs(self, cells):
        return -(-cells // self.cells)

    def most_jobs(self):
        return self.most

    def submit_batch(self, shares, folder):
        assert folder.is_dir()
        assert len(shares) <= self.most
        queue = Path(os.environ[FOLDER])
        ids = []
        for share in shares:
            number = len([*queue.iterdir()])
            if number >= self.limit:
                raise UsageError("queue: it is full")
            (queue / f"{number}").write_text(str(share))
            ids.append(str(number))
        return tuple(ids)

    def job_states(self, jobs):
        queue = Path(os.environ[FOLDER])
        if (queue.parent / "silent").exists():
            raise UsageError("queue: it does not answer")
        ended = (queue.parent / "ended").read_text().split() if (queue.parent / "ended").exists() else []
        return {job: JobState("ended", "KILLED") if job in ended else JobState("waiting", "PENDING") for job in jobs}


@hookimpl
def tlbench_executors():
    return [Queue()]
