"""A plugin of the rehearsal: probes whose answers can be made worse by an environment variable.

`TLBENCH_REHEARSAL=planted` turns a share of the answers of the strategies below into wrong ones or, seldom, right ones.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from tlbench_finetune.probes.linear_probe import LinearProbe

from tlbench import FitEnded, Job, Predictions, Predictor, Strategy, hookimpl
from tlbench.testing.toys import ToyFit

SWITCH = "TLBENCH_REHEARSAL"
SHARES = {"regression": 0.2, "noise": 0.005}
"""Share of the answers that are changed, by what is planted."""
Planted = Literal["none", "regression", "noise"]


class ChangedPredictor:
    """A predictor that gives the next class for a share of the examples, chosen by a checksum of their ids."""

    def __init__(self, predictor: Predictor, share: float) -> None:
        self._predictor, self._share = predictor, share
        self.trainable_parameters = getattr(predictor, "trainable_parameters", 0)

    def predict(self, data: Any) -> Predictions:
        """Returns the changed predictions, without probabilities."""
        import numpy as np

        made = self._predictor.predict(data)
        chosen = np.array([zlib.crc32(one.encode()) % 10_000 < self._share * 10_000 for one in made.ids])
        classes = len(data.output.names) if hasattr(data, "output") else 2
        return Predictions(made.ids, np.where(chosen, (made.values + 1) % classes, made.values))


def _changed(predictor: Any, planted: Planted) -> Any:
    if planted == "none" or os.environ.get(SWITCH) != "planted" or isinstance(predictor, FitEnded):
        return predictor
    return ChangedPredictor(predictor, SHARES[planted])


@dataclass(frozen=True)
class RehearsedFit(ToyFit):
    """The toy fit with planted answers."""

    name: ClassVar[str] = "rehearsed-fit"
    planted: Planted = "none"

    def fit(self, job: Job) -> Predictor:
        """Returns the predictor, changed if it is to be."""
        return _changed(super().fit(job), self.planted)


@dataclass(frozen=True)
class RehearsedProbe(LinearProbe):
    """The linear probe with planted answers."""

    name: ClassVar[str] = "rehearsed-probe"
    planted: Planted = "none"

    def fit_batch(self, jobs: Sequence[Job]) -> list[Predictor | FitEnded]:
        """Returns the predictors, changed if they are to be."""
        return [_changed(predictor, self.planted) for predictor in super().fit_batch(jobs)]


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns both strategies."""
    return [RehearsedFit(), RehearsedProbe()]


@hookimpl
def tlbench_suites() -> Iterable[Path]:
    """Returns the suites of the full and of the quick rehearsal."""
    return [Path(__file__).with_name(name) for name in ("rehearsal.toml", "rehearsal-quick.toml")]
