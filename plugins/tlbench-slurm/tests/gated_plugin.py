"""A strategy whose fits wait for a file, so that tests can end jobs in the middle of a fit."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tlbench import hookimpl
from tlbench.testing.process_faults import append
from tlbench.testing.toys import ToyFit

FOLDER = "TLBENCH_TEST_GATE"
"""The environment variable with a folder: `open` lets all fits go on, and `fits` has a line for each that ended."""


@dataclass(frozen=True)
class GatedStrategy(ToyFit):
    """Waits until the gate is open, then fits as `toy-fit` does."""

    name = "toy-gated"
    number: int = 0

    def fit(self, job):
        folder = Path(os.environ[FOLDER])
        while not (folder / "open").exists():
            time.sleep(0.01)
        predictor = ToyFit.fit(self, job)
        append(folder / "fits", f"{self.number} {job.seed}")
        return predictor


@hookimpl
def tlbench_strategies():
    return [GatedStrategy()]
