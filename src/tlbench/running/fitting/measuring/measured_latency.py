"""Measures how long a backbone with a new head, or a fitted model, takes to predict, from raw inputs to answers."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from tlbench.contracts.errors import PluginError
from tlbench.contracts.fits.latency import Latency
from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.task import Examples
from tlbench.modeling.data import to_device
from tlbench.modeling.precision import autocast
from tlbench.running.fitting.context import CellContext

MOST_SECONDS = {1: 3.0, 32: 2.0}
"""Numbers of examples that are predicted at once. Measuring each ends after so many seconds and `FEWEST` repetitions:
a single example has all of them up to 0.1 s, beyond which few would ask for a latency."""
REPETITIONS, FEWEST = 30, 5
WARM_UP = 2


def measure_latency(context: CellContext) -> tuple[Latency, ...]:
    """Returns the latency of the cell's backbone for each number of rows in `MOST_SECONDS`.

    The head is new: what it answers does not matter for the time. Inputs are those of the validation split, other ones
    in each repetition, and nothing is cached.

    Raises:
        PluginError: The cell has no backbone.
    """
    if context.backbone is None or context.encoder is None:
        raise PluginError("a latency is that of a backbone, and this cell has none")
    device, output = context.session.device, context.task.item.output
    encoder = output.view(context.encoder.fresh()).eval()
    head = context.head(encoder).eval()
    backbone, examples = context.backbone.item, context.validation

    def predict(rows: Examples) -> None:
        data = backbone.featurize(rows.without_targets(), output)
        with torch.inference_mode(), autocast(device, context.precision):
            outputs = head.decode(encoder, to_device(data.batch(range(len(data))), device))
            head.merge([outputs], data)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return tuple(_measured(predict, examples, rows, context.session.threads) for rows in MOST_SECONDS)


def measure_fitted_latency(context: CellContext, predictor: Predictor) -> tuple[Latency, ...]:
    """Returns the latency of a fitted model of the cell, for each number of rows in `MOST_SECONDS`.

    Inputs are those of the validation split, other ones in each repetition; what is cached is dropped after each.
    """

    def predict(rows: Examples) -> None:
        predictor.predict(context.data(rows.without_targets()))
        if context.session.device.type == "cuda":
            torch.cuda.synchronize(context.session.device)
        context.session.activations.clear()

    return tuple(_measured(predict, context.validation, rows, context.session.threads) for rows in MOST_SECONDS)


def _measured(predict: Callable[[Examples], None], examples: Examples, rows: int, threads: int) -> Latency:
    seconds: list[float] = []
    ends = time.perf_counter() + MOST_SECONDS[rows]
    for number in range(WARM_UP + REPETITIONS):
        some = examples.take([(number * rows + one) % len(examples) for one in range(rows)])
        began = time.perf_counter()
        predict(some)
        now = time.perf_counter()
        if number >= WARM_UP:
            seconds.append(now - began)
        if now > ends and len(seconds) >= FEWEST:
            break
    p50, p95 = np.quantile(seconds, [0.5, 0.95])
    return Latency(rows, float(p50), float(p95), len(seconds), threads)
