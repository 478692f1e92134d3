"""A strategy that sleeps, so that all other time is overhead. Imports nothing heavy."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tlbench import Job, Predictor, hookimpl
from tlbench.testing.toys import ToyMajority


@dataclass(frozen=True)
class SleepingStrategy(ToyMajority):
    """Sleeps, then predicts the most frequent class."""

    name = "sleeping"
    number: int = 0
    """Tells cells apart."""
    seconds: float = 0.5

    def fit(self, job: Job) -> Predictor:
        """Sleeps and returns a predictor of the most frequent class."""
        time.sleep(self.seconds)
        return ToyMajority.fit(self, job)


@hookimpl
def tlbench_strategies() -> list[SleepingStrategy]:
    """Registers the strategy."""
    return [SleepingStrategy()]
