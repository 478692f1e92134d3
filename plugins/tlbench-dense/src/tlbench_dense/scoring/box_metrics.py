"""Metrics of detection, as COCO defines them: average precision and average recall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlbench import Metric
from tlbench_dense.kinds.boxes import Boxes

if TYPE_CHECKING:
    import numpy as np

    from tlbench.contracts.metric import Floats, Resampler
    from tlbench.metrics.scored import Scored
    from tlbench_dense.detection.coco_matches import ClassMatches

RECALLS = 101
"""Number of recall values at which the precision is read, from 0 to 1."""


class AveragePrecision(Metric):
    """COCO's mean average precision: the mean over classes and over least overlaps of 0.5 to 0.95.

    Matches come from pycocotools; a resample of images weighs them. Boxes with equal scores count together, where
    pycocotools goes by the order of the images, so that the order of examples changes nothing.
    """

    name, label, outputs = "coco_map", "mAP", (Boxes,)
    citation = "Lin et al. 2014, arXiv:1405.0312, with up to 100 boxes an image"
    overlaps: slice = slice(None)
    """Which least overlaps count."""

    def resampler(self, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N) of images to the metric (R,)."""
        import numpy as np

        from tlbench_dense.detection.coco_matches import matches

        classes = list(matches(scored).of_class.values())

        def values(weights: np.ndarray) -> Floats:
            if not classes:
                return np.full(len(weights), np.nan)
            wide = weights.astype(np.float64)
            return _mean_where_defined([self.of_class(one, wide) for one in classes])

        return values

    def of_class(self, found: ClassMatches, weights: Floats) -> Floats:
        """Returns the metric of one class (R,); NaN for resamples without an object of it."""
        import numpy as np

        total = weights @ found.objects
        if not len(found.scores):
            return np.where(total > 0, 0.0, np.nan)
        ends = np.flatnonzero(np.append(found.scores[1:] != found.scores[:-1], True))
        of_boxes = weights[:, found.images]
        # Which boxes count depends on the least overlap only where there are crowds.
        so_far: dict[bytes, Floats] = {}
        parts = []
        for hits, misses in zip(found.hits[self.overlaps], found.misses[self.overlaps], strict=True):
            counted = hits | misses
            if (key := counted.tobytes()) not in so_far:
                so_far[key] = np.cumsum(of_boxes * counted, axis=1)
            parts.append(_precision(of_boxes, hits, so_far[key], ends, total))
        return np.where(total > 0, np.mean(parts, axis=0), np.nan)


class AveragePrecision50(AveragePrecision):
    """Average precision at a least overlap of 0.5, averaged over classes."""

    name, label = "coco_ap50", "AP50"
    overlaps = slice(0, 1)


class AverageRecall(AveragePrecision):
    """COCO's average recall with up to 100 boxes an image, over classes and least overlaps of 0.5 to 0.95."""

    name, label = "coco_ar100", "AR100"

    def of_class(self, found: ClassMatches, weights: Floats) -> Floats:
        """Returns the recall of one class (R,); NaN for resamples without an object of it."""
        import numpy as np

        total = weights @ found.objects
        right: Any = weights[:, found.images] @ found.hits.T.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 0, (right / total[:, None]).mean(1), np.nan)


def _precision(weights: Floats, hits: np.ndarray, so_far: Floats, ends: np.ndarray, total: Floats) -> Floats:
    """Returns the average precision (R,) at 101 recalls, from boxes in falling order of score.

    Args:
        weights: (R, D) of the boxes.
        hits: (D,) whether a box hits an object.
        so_far: (R, D) the weights of all boxes up to each that hit or miss an object.
        ends: The last box of each score.
        total: (R,) the number of objects.
    """
    import numpy as np

    # Recall rises at hits alone, and precision falls at all other boxes, so that hits are all that is looked at.
    places = np.flatnonzero(hits)
    if not len(places):
        return np.zeros(len(weights))
    stops = ends[np.searchsorted(ends, places)]
    last = np.searchsorted(places, stops, side="right") - 1
    right = np.cumsum(weights[:, places], axis=1)[:, last]
    precision = right / (so_far[:, stops] + np.spacing(1))
    # The best precision at this recall or a higher one.
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = right / np.maximum(total, 1)[:, None]
    # How many of the recalls are reached with each hit.
    reached = np.searchsorted(np.linspace(0.0, 1.0, RECALLS), recall.reshape(-1), side="right").reshape(recall.shape)
    steps = np.diff(reached, axis=1, prepend=0)
    return np.asarray((best * steps).sum(1) / RECALLS)


def _mean_where_defined(parts: list[Floats]) -> Floats:
    import numpy as np

    values = np.stack(parts)
    defined = ~np.isnan(values)
    number = defined.sum(0)
    return np.where(number > 0, np.where(defined, values, 0.0).sum(0) / np.maximum(number, 1), np.nan)
