"""Fits a winner's temperature on the stored predictions of its validation split."""

from __future__ import annotations

from pathlib import Path

from tlbench.contracts.record import Record
from tlbench.results.post_hoc.calibration import as_classes, fitted_temperature
from tlbench.results.post_hoc.stored_splits import StoredSplits, UnusableFile, with_seeds
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import summaries_of


def temperature_of(record: Record, seed: int, out: Path) -> tuple[float | None, str]:
    """Returns the temperature of one final fit, or None, and why confidences are not calibrated.

    Args:
        record: The record of a finished cell.
        seed: The seed of the final fit.
        out: The results folder.
    """
    try:
        validation = StoredSplits(Store(out)).validation(summaries_of([record]).cells[0])
    except UnusableFile as error:
        return None, str(error)
    if validation.scores is None:
        return None, "the strategy gives no probabilities"
    if seed not in validation.seeds:
        return None, f"no validation predictions of the seed {seed}"
    targets, scores = as_classes(with_seeds(validation, [seed]).scored[0])
    if (scores.argmax(axis=1) == targets).all():
        # The lower the temperature, the lower the loss: every confidence would be 1.
        return None, f"all {len(targets)} validation predictions are right, and then no temperature is the best"
    return fitted_temperature(targets, scores), ""
