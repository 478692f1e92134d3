"""Compares the predictions of a rebuilt winner with those that were stored when its cell was run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlbench.contracts.fits.predictor import Predictor
from tlbench.contracts.outputs import Predictions
from tlbench.contracts.record import Record
from tlbench.metrics.scored_arrays import scored_of
from tlbench.results.records.store import Store
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.results.stats import CellPredictions
from tlbench.running.fitting.context import CellContext
from tlbench.running.fitting.measuring.timing import predict

TOLERANCE = 1e-5
"""Largest difference of a probability or a predicted number that is not reported; they are stored in fp32."""


def difference(predictor: Predictor, seed: int, record: Record, out: Path, context: CellContext) -> str:
    """Returns in one line how test predictions differ from the stored ones; empty if they don't.

    Args:
        predictor: The rebuilt predictor of a final fit.
        seed: The seed of that fit.
        record: The record of the cell.
        out: The results folder, which has the stored predictions.
        context: The cell's data; its test split is read.
    """
    stored = _stored(Store(out).predictions(record), record.predictions_digest)
    if stored is None or seed not in stored.seeds:
        return "its test predictions could not be compared: none are stored"
    examples = context.test()
    if fingerprint_changed(record, context):
        return f"its test predictions could not be compared: the test split of {context.task.ref.name} has changed"
    made = predict(predictor, context.data(examples.without_targets()))
    return _differing(made, stored, seed, context, [example.target for example in examples])


def fingerprint_changed(record: Record, context: CellContext) -> bool:
    """Returns whether the test split is another than when the cell was run, after the split was opened."""
    now = context.fingerprints().get("test")
    return record.provenance.data.get("test", now) != now


def _differing(
    made: Predictions, stored: CellPredictions, seed: int, context: CellContext, targets: list[object]
) -> str:
    scored = scored_of(context.info.output, targets, made, context.info.positive)
    place = {name: row for row, name in enumerate(made.ids)}
    rows = [place.get(name, -1) for name in stored.ids]
    if -1 in rows:
        return "its test predictions could not be compared: the stored ones are of other examples"
    index = stored.seeds.index(seed)
    values, kept = scored.values[rows], stored.values[index]
    if values.dtype.kind == "f" or kept.dtype.kind == "f":
        unequal = np.abs(values.astype(float) - kept.astype(float)) > TOLERANCE
    elif values.dtype == object:
        # Texts, or tuples of tags: NumPy would compare tuples as arrays.
        unequal = np.array([one != other for one, other in zip(values, kept, strict=True)])
    else:
        unequal = values != kept
    count = int((unequal if unequal.ndim == 1 else unequal.any(axis=1)).sum())
    if count:
        return f"{count} of {len(rows)} test predictions differ from the stored ones"
    if scored.scores is not None and stored.scores is not None:
        largest = float(np.abs(scored.scores[rows] - stored.scores[index]).max())
        if largest > TOLERANCE:
            return f"test probabilities differ from the stored ones by up to {largest:.2g}"
    return ""


def _stored(path: Path | None, digest: str) -> CellPredictions | None:
    try:
        return read_predictions(path, with_scores=True, digest=digest) if path else None
    except (OSError, ValueError, MemoryError):
        return None
