"""Where the time of a fit goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tlbench.contracts.errors import Diverged, PluginError
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.strategy import Predictor
from tlbench.modeling.activations.activation_cache import Activations
from tlbench.modeling.data import Data
from tlbench.system.measure import Stopwatch


class Watches:
    """Where the time of a fit goes; what is nested (set-up, scoring, encoding) is taken out of what encloses it."""

    def __init__(self, activations: Activations) -> None:
        self._activations = activations
        self.fit, self.setup, self.validate = Stopwatch(), Stopwatch(), Stopwatch()
        self.once: dict[tuple[int, str], float] = {}
        """What each thing that was made once, now or before, took to make."""
        self._nested = [0.0]

    @contextmanager
    def charging(self, watch: Stopwatch) -> Iterator[None]:
        """Adds the time of the block, without what it encoded and what was charged within it."""
        block = Stopwatch()
        self._nested.append(0.0)
        try:
            with self._activations.metering() as usage, block.running():
                yield
        finally:
            within = self._nested.pop()
            self._nested[-1] += block.seconds - usage.encode_paid_seconds
            watch.seconds += max(0.0, block.seconds - usage.encode_paid_seconds - within)


def predict_timed(predictor: Predictor, data: Data, activations: Activations) -> tuple[Predictions, float, float]:
    """Returns the answers, what they cost on their own, and what was paid for encoding; raises as `predict`."""
    watch = Stopwatch()
    with activations.metering() as usage, watch.running():
        predictions = predict(predictor, data)
    alone = watch.seconds - usage.encode_paid_seconds + usage.encode_seconds
    return predictions, alone, usage.encode_paid_seconds


def predict(predictor: Predictor, data: Data) -> Predictions:
    """Returns the predictor's answers, checked.

    Raises:
        PluginError: No predictor, no `Predictions`, or not one answer for each example, in order.
        Diverged: An answer that is not finite.
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
