"""A plugin with a strategy that sleeps: all that its fits take beyond that is overhead."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tlbench import Job, Predictor, Space, SpaceContext, Strategy, hookimpl
from tlbench.testing.toys import ToyGuess


@dataclass(frozen=True)
class Sleeping(Strategy):
    """Sleeps and then predicts a class without training."""

    name = "sleeping"
    family = "baseline"

    milliseconds: float = 0.0
    number: int = 0
    """Makes the cell another one, so that a benchmark has as many cells as it wants."""

    def space(self, about: SpaceContext) -> Space:
        """Returns the space of `toy-guess`."""
        return ToyGuess().space(about)

    def fit(self, job: Job) -> Predictor:
        """Returns a predictor of one class after the sleep."""
        time.sleep(self.milliseconds / 1000)
        return ToyGuess().fit(job)


@hookimpl
def tlbench_strategies() -> list[Strategy]:
    """Returns the strategy."""
    return [Sleeping()]
