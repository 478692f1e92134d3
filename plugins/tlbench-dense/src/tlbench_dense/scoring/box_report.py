"""The class report of detection: precision and recall of each class at its best score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tlbench.contracts.fits.class_scores import ClassReport, ClassScore
from tlbench_dense.detection.coco_matches import ClassMatches, matches

if TYPE_CHECKING:
    from tlbench.metrics.scored import Scored


def box_report(names: Sequence[str], seeds: Sequence[Scored]) -> ClassReport:
    """Returns precision, recall and F1 of each class at a least overlap of 0.5, means over seeds.

    Boxes count from the score at which F1 is highest. Support is the number of objects without crowds.
    """
    found = [matches(scored).of_class for scored in seeds]
    rows = []
    for index, name in enumerate(names):
        parts = np.array([_best(of_class[index]) if index in of_class else (0.0, 0.0, 0.0, 0.0) for of_class in found])
        precision, recall, f1, support = parts.mean(0).tolist()
        rows.append(ClassScore(name, precision, recall, f1, round(support)))
    return ClassReport(tuple(rows))


def _best(found: ClassMatches) -> tuple[float, float, float, float]:
    total = int(found.objects.sum())
    right, wrong = np.cumsum(found.hits[0]), np.cumsum(found.misses[0])
    if not len(right) or not total:
        return 0.0, 0.0, 0.0, float(total)
    f1 = 2 * right / (right + wrong + total)
    at = int(f1.argmax())
    precision = right[at] / max(1, right[at] + wrong[at])
    return float(precision), float(right[at] / total), float(f1[at]), float(total)
