"""Metrics of segmentation: mean intersection over union, pixel accuracy and boundary F1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlbench import Metric
from tlbench_dense.kinds.masks import Masks

if TYPE_CHECKING:
    import numpy as np

    from tlbench.contracts.metric import Floats
    from tlbench.metrics.scored import Scored

TOLERANCE = 2
"""Distance in pixels up to which a predicted boundary is right."""


class MeanIoU(Metric):
    """The mean over classes of intersection over union of their pixels, over all images together."""

    name, label, outputs = "mean_iou", "mean IoU", (Masks,)
    citation = "Everingham et al. 2015, doi:10.1007/s11263-014-0733-5; classes without any pixel are left out"

    def statistics(self, scored: Scored) -> Floats:
        """Returns the pixels of each class that are right, predicted and true, (N, 3K)."""
        import numpy as np

        from tlbench_dense.scoring.pixel_counts import class_count, confusion, pixel_pairs

        count, rows = class_count(scored), []
        for pair in pixel_pairs(scored):
            matrix = confusion(*pair, count)
            rows.append(np.concatenate([matrix.diagonal(), matrix.sum(0)[:count], matrix.sum(1)]))
        return np.stack(rows)

    def value(self, sums: Floats) -> Floats:
        """Returns the mean over classes with a true or predicted pixel."""
        hits, predicted, actual = _parts(sums, 3)
        return _mean_over_classes(hits, predicted + actual - hits)


class PixelAccuracy(Metric):
    """The share of pixels with the right class."""

    name, label, outputs = "pixel_accuracy", "pixel accuracy", (Masks,)
    citation = "The share of pixels, over all images together, whose predicted class is the true one."

    def statistics(self, scored: Scored) -> Floats:
        """Returns the pixels that are right and all that count, (N, 2)."""
        import numpy as np

        from tlbench_dense.scoring.pixel_counts import pixel_pairs
        from tlbench_dense.standalone.class_runs import IGNORED

        rows = [[((w == g) & (w != IGNORED)).sum(), (w != IGNORED).sum()] for w, g in pixel_pairs(scored)]
        return np.array(rows, dtype=np.int64)

    def value(self, sums: Floats) -> Floats:
        """Returns the share of right pixels."""
        import numpy as np

        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums[..., 0] / sums[..., 1])


class BoundaryF1(Metric):
    """The mean over classes of the F1 of boundary pixels, right within two pixels, over all images together."""

    name, label, outputs = "boundary_f1", "boundary F1", (Masks,)
    citation = f"Csurka et al. 2013, doi:10.5244/C.27.32, with a tolerance of {TOLERANCE} pixels and sums over images"

    def statistics(self, scored: Scored) -> Floats:
        """Returns, for each class, the boundary pixels that are predicted, of these right, true, and of these found."""
        import numpy as np

        from tlbench_dense.scoring.pixel_counts import class_count, pixel_pairs
        from tlbench_dense.standalone.class_runs import IGNORED

        count = class_count(scored)
        rows = np.zeros((len(scored), 4, count), dtype=np.int64)
        for row, (wanted, given) in enumerate(pixel_pairs(scored)):
            counted = wanted != IGNORED
            for index in np.union1d(np.unique(wanted), np.unique(given[counted])).tolist():
                if index < count:
                    rows[row, :, index] = _boundary_counts(wanted == index, given == index, counted)
        return rows.reshape(len(scored), 4 * count)

    def value(self, sums: Floats) -> Floats:
        """Returns the mean F1 over classes with a boundary."""
        predicted, right, actual, found = _parts(sums, 4)
        # F1 of precision p/P and recall r/R is 2pr / (pR + rP).
        below = right * actual + found * predicted
        return _mean_over_classes(2 * right * found, below, (predicted + actual) > 0)


def _boundary_counts(wanted: np.ndarray, given: np.ndarray, counted: np.ndarray) -> tuple[int, int, int, int]:
    from scipy.ndimage import distance_transform_cdt

    # The edge of the image is no boundary, and nothing next to ignored pixels is.
    edges = [_boundary(part) & counted for part in (given, wanted)]
    # Distances to the other boundary count steps to one of eight neighbours.
    near = [distance_transform_cdt(~edge, "chessboard") <= TOLERANCE if edge.any() else edge for edge in edges]
    (predicted, actual), (near_predicted, near_actual) = edges, near
    return (
        int(predicted.sum()), int((predicted & near_actual).sum()),
        int(actual.sum()), int((actual & near_predicted).sum()),
    )  # fmt: skip


def _boundary(part: np.ndarray) -> np.ndarray:
    """Returns the pixels of a class with one of another class beside, above or below."""
    import numpy as np

    padded = np.pad(part, 1, mode="edge")
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(part & ~surrounded)


def _parts(sums: Floats, count: int) -> list[np.ndarray]:
    width = sums.shape[-1] // count
    return [sums[..., i * width : (i + 1) * width] for i in range(count)]


def _mean_over_classes(above: np.ndarray, below: np.ndarray, exists: np.ndarray | None = None) -> Floats:
    """Returns the mean of the ratios of the classes that exist; a ratio of nothing is 0; NaN if there is no class."""
    import numpy as np

    exists = below > 0 if exists is None else exists
    ratios = np.where(below > 0, above / np.where(below > 0, below, 1), 0.0)
    number = exists.sum(-1)
    return np.where(number > 0, (ratios * exists).sum(-1) / np.maximum(number, 1), np.nan)
