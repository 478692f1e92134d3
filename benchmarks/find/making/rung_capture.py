"""Watches one fit: what it answers at an eighth and at half of its steps, and the processor time until then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.find.grid_files import PARTS
from tlbench import Job, Predictions, Predictor, Strategy
from tlbench.contracts.executor import step_of_part

if TYPE_CHECKING:
    import numpy as np

    from tlbench.modeling.data import Data


@dataclass(frozen=True)
class Rung:
    """What a fit had answered and spent at a rung."""

    answers: np.ndarray
    """The class of each row of the validation split."""
    seconds: float
    """Processor seconds of training until then, without set-up, encoding and validation."""
    validate_seconds: float
    """Processor seconds of these answers."""


class RungCapture(Strategy):
    """Fits as another strategy does, and keeps what the fit answers at the rungs.

    The fit is not changed: it reports more often, as one does that is stopped at a rung. So each rung has what a fit
    has that ends there.
    """

    name = "rung-capture"

    def __init__(self, inner: Strategy) -> None:
        self.inner = inner
        self.uses_backbone = inner.uses_backbone  # type: ignore[misc]  # of an object here, since it is the inner one's
        self.rungs: dict[int, Rung] = {}
        """What was seen, by the part of the fit."""
        self.validate_seconds = 0.0
        """Processor seconds of all answers of the validation split before the fit ended."""

    def fit(self, job: Job) -> Predictor:
        """Returns the inner strategy's predictor."""
        began = time.process_time()
        with job.activations.metering() as usage:
            watch = _Watch(lambda: time.process_time() - usage.encode_paid_seconds)

            def score(predictor: Predictor) -> float:
                noting = _Noting(predictor)
                before = watch.seconds["validate"]
                with watch.aside("validate"):
                    value = job.score(noting)
                self.validate_seconds = watch.seconds["validate"]
                watch.answers, watch.last = noting.answers, self.validate_seconds - before
                return value

            def once(key: str, make: Callable[[], Any]) -> Any:
                with watch.aside("setup"):
                    return job.once(key, make)

            def report(step: int, score: float, loss: float | None = None, total: int | None = None) -> None:
                self._note(step, total or job.protocol.max_steps or step, watch, began)
                job.report(step, score, loss, total)

            parts = tuple(part for part in PARTS if part is not None)
            by_rungs = msgspec.structs.replace(job.protocol, pruner="halving-rungs")
            return self.inner.fit(
                replace(job, score=score, once=once, report=report, protocol=by_rungs, report_parts=parts)
            )

    def _note(self, step: int, total: int, watch: _Watch, began: float) -> None:
        if watch.answers is None:
            return
        seconds = watch.now() - began - sum(watch.seconds.values())
        for part in PARTS:
            if part is not None and part not in self.rungs and step_of_part(total, part) <= step < total:
                self.rungs[part] = Rung(watch.answers.values, seconds, watch.last)


class _Watch:
    """Adds up the processor seconds of what is not training."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds = {"validate": 0.0, "setup": 0.0}
        self.answers: Predictions | None = None
        """The last answers of the validation split."""
        self.last = 0.0
        """The seconds of these answers."""

    @contextmanager
    def aside(self, name: str) -> Iterator[None]:
        """Adds the block to the seconds of this name."""
        began = self.now()
        try:
            yield
        finally:
            self.seconds[name] += self.now() - began


class _Noting:
    """A predictor that keeps what it answers."""

    def __init__(self, inner: Predictor) -> None:
        self._inner = inner
        self.answers: Predictions | None = None

    def predict(self, data: Data) -> Predictions:
        """Returns the inner predictor's predictions."""
        self.answers = self._inner.predict(data)
        return self.answers

    def save(self, folder: Any) -> None:
        """Saves the inner predictor."""
        self._inner.save(folder)


@contextmanager
def processor_clock() -> Iterator[None]:
    """Lets every timer of this process count processor time in place of wall-clock time within the block.

    tlbench's timers read `time.perf_counter`. Processor time does not change when other programs share the core.
    """
    wall = time.perf_counter
    time.perf_counter = time.process_time
    try:
        yield
    finally:
        time.perf_counter = wall
