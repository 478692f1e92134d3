"""Counts of pixels from which segmentation metrics and their report are computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tlbench.contracts.fits.class_scores import ClassReport, ClassScore
from tlbench_dense.standalone.class_runs import IGNORED, classes_in, decoded

if TYPE_CHECKING:
    from tlbench.metrics.scored import Scored


def class_count(scored: Scored) -> int:
    """Returns one more than the largest class that occurs in a target or a prediction."""
    texts = [text for target, value in zip(scored.targets, scored.values, strict=True) for text in (target[0], value)]
    return 1 + max((index for text in texts if text for index in classes_in(text)), default=0)


def pixel_pairs(scored: Scored) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the maps (H, W) of target and prediction of each example; without a prediction every pixel is wrong."""
    for target, value in zip(scored.targets, scored.values, strict=True):
        wanted = decoded(target[0])
        yield wanted, decoded(value) if value else np.full_like(wanted, IGNORED)


def confusion(wanted: np.ndarray, given: np.ndarray, count: int) -> np.ndarray:
    """Returns how many pixels of each class got each prediction, (K, K + 1); the last column is for no class at all."""
    counted = wanted != IGNORED
    predicted = np.where(given == IGNORED, count, given)[counted].astype(np.int64)
    pairs = wanted[counted].astype(np.int64) * (count + 1) + predicted
    return np.bincount(pairs, minlength=count * (count + 1)).reshape(count, count + 1)


def pixel_report(names: Sequence[str], seeds: Sequence[Scored]) -> ClassReport:
    """Returns precision, recall and F1 (Dice) of the pixels of each class, and their confusion matrix, over seeds."""
    count = len(names)
    matrix = sum(
        (confusion(*pair, count) for scored in seeds for pair in pixel_pairs(scored)),
        start=np.zeros((count, count + 1), dtype=np.int64),
    )
    hits, predicted, actual = matrix.diagonal(), matrix.sum(0)[:count], matrix.sum(1)
    scores = tuple(
        ClassScore(
            name, _share(hit, given), _share(hit, wanted), _share(2 * hit, given + wanted), int(wanted) // len(seeds)
        )
        for name, hit, given, wanted in zip(names, hits, predicted, actual, strict=True)
    )
    square = matrix[:, :count]
    entries = tuple((int(i), int(j), int(square[i, j])) for i, j in zip(*square.nonzero(), strict=True))
    return ClassReport(scores, tuple(names), entries)


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else 0.0
