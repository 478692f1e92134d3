"""A plugin whose fits wait until a file exists, so that a test decides what happens while they are under way."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tlbench import hookimpl
from tlbench.testing.toys import ToyFit

BEGUN, GO, ENDED = "TLBENCH_TEST_BEGUN", "TLBENCH_TEST_GO", "TLBENCH_TEST_ENDED"
PATIENCE_SECONDS = 2 * float(os.environ.get("TLBENCH_TEST_PATIENCE", "100"))


def note(variable):
    """Appends a line to the file that a variable names, in one system call."""
    handle = os.open(os.environ[variable], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(handle, f"{os.getpid()}\n".encode())
    os.close(handle)


@dataclass(frozen=True)
class Holding(ToyFit):
    """Fits as `toy-fit` once the file of TLBENCH_TEST_GO exists."""

    name = "holding"

    def fit(self, job):
        """Notes that it has begun, waits for the file, fits, and notes that it has ended."""
        note(BEGUN)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not Path(os.environ[GO]).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        predictor = ToyFit.fit(self, job)
        note(ENDED)
        return predictor


@hookimpl
def tlbench_strategies():
    """Returns the strategy."""
    return [Holding()]
