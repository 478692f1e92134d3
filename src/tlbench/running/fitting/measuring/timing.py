"""Timers of a fit, and timed and checked predictions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tlbench.contracts.errors import Diverged, PluginError
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.outputs import Predictions
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.data import Data
from tlbench.system.measure import Stopwatch


class FitTimers:
    """Times the parts of a fit; nested parts (set-up, validation, encoding) are subtracted from the enclosing one."""

    def __init__(self, activations: Activations) -> None:
        self._activations = activations
        self.fit, self.setup, self.validate = Stopwatch(), Stopwatch(), Stopwatch()
        self.once_seconds: dict[tuple[int, str], float] = {}
        """Time in seconds that each value of `Job.once` took to compute, in this or an earlier fit, by seed and key."""
        # A stack: for each open block, the seconds of the blocks within it.
        self._nested = [0.0]

    @contextmanager
    def timing(self, watch: Stopwatch) -> Iterator[None]:
        """Adds the time of the block to a stopwatch, without encoding and without blocks that are timed within it."""
        block = Stopwatch()
        self._nested.append(0.0)
        try:
            with self._activations.metering() as usage, block.running():
                yield
        finally:
            # Encoding is charged separately, because its cost depends on what was cached and not on the strategy.
            within = self._nested.pop()
            self._nested[-1] += block.seconds - usage.encode_paid_seconds
            watch.seconds += max(0.0, block.seconds - usage.encode_paid_seconds - within)


def predict_timed(predictor: Predictor, data: Data, activations: Activations) -> tuple[Predictions, float, float]:
    """Returns predictions, the time in seconds that they would take without a cache, and the time spent on encoding.

    Raises:
        PluginError: As `predict`.
        Diverged: As `predict`.
    """
    watch = Stopwatch()
    with activations.metering() as usage, watch.running():
        predictions = predict(predictor, data)
    alone = watch.seconds - usage.encode_paid_seconds + usage.encode_seconds
    return predictions, alone, usage.encode_paid_seconds


def predict(predictor: Predictor, data: Data) -> Predictions:
    """Returns the predictor's predictions after checking them.

    Raises:
        PluginError: The predictor has no `predict`, or it did not return `Predictions` with one prediction for each
            example, in the order of the examples.
        Diverged: A prediction is not finite.
    """
    if not callable(getattr(predictor, "predict", None)):
        raise PluginError(f"fit returned {type(predictor).__name__}, which has no predict")
    predictions = predictor.predict(data)
    if not isinstance(predictions, Predictions):
        raise PluginError(f"predict returned {type(predictions).__name__}, not Predictions")
    if predictions.ids != data.ids:
        raise PluginError("the predictor did not answer every example in order")
    for values in (predictions.values, predictions.scores):
        if values is not None and values.dtype.kind == "f" and not np.isfinite(values).all():
            raise Diverged("a prediction is not finite")
    return predictions
