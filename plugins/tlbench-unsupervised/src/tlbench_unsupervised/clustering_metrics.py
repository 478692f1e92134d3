"""Metrics of clusterings: functions of how often each cluster and each class occur together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from tlbench import Classes, Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tlbench.contracts.metric import Resampler
    from tlbench.metrics.scored import Scored

    Floats: TypeAlias = NDArray[np.float64]


class OfContingency(Metric):
    """Base class of metrics of a table of counts; predictions are clusters, and targets are classes."""

    outputs = (Classes,)

    def of_table(self, table: Floats) -> float:
        """Returns the metric of a table (classes, clusters) of counts."""
        raise NotImplementedError

    def resampler(self, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N) to the metric (R,)."""
        import numpy as np

        targets, clusters = scored.targets.astype(np.int64), scored.values.astype(np.int64)
        shape = int(targets.max(initial=0)) + 1, int(clusters.max(initial=0)) + 1
        cells = targets * shape[1] + clusters

        def values(weights: NDArray[Any]) -> Floats:
            size = shape[0] * shape[1]
            tables = (np.bincount(cells, weights=row, minlength=size).reshape(shape) for row in weights)
            return np.array([self.of_table(table) for table in tables])

        return values


class NormalizedMutualInformation(OfContingency):
    """The mutual information of clusters and classes over the mean of their entropies."""

    name, label = "normalized_mutual_information", "NMI"
    citation = "Strehl & Ghosh 2002, JMLR 3, with the arithmetic mean, as in scikit-learn"

    def of_table(self, table: Floats) -> float:
        """Returns the normalised mutual information; 1 if there is one class and one cluster."""
        joint = table / table.sum()
        classes, clusters = joint.sum(1), joint.sum(0)
        mean = (_entropy(classes) + _entropy(clusters)) / 2
        if mean == 0:
            return 1.0
        shared = _entropy(classes) + _entropy(clusters) - _entropy(joint.ravel())
        return min(1.0, max(0.0, shared / mean))


class AdjustedRand(OfContingency):
    """The share of pairs of examples on which clusters and classes agree, less what chance gives; 0 for chance."""

    name, label, lowest = "adjusted_rand", "ARI", -1.0
    citation = "Hubert & Arabie 1985, doi:10.1007/BF01908075"

    def of_table(self, table: Floats) -> float:
        """Returns the adjusted Rand index; 1 if both put all examples together, or all apart."""
        both, classes, clusters = _pairs(table), _pairs(table.sum(1)), _pairs(table.sum(0))
        total = _pairs(table.sum())
        expected = classes * clusters / total if total else 0.0
        largest = (classes + clusters) / 2
        return float((both - expected) / (largest - expected)) if largest != expected else 1.0


class Purity(OfContingency):
    """The share of examples whose class is the most frequent one of their cluster."""

    name, label = "purity", "purity"
    citation = "Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, 16.3"

    def of_table(self, table: Floats) -> float:
        """Returns the purity."""
        return float(table.max(0).sum() / table.sum())


def _entropy(shares: Floats) -> float:
    import numpy as np

    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def _pairs(counts: Any) -> float:
    """Returns the number of pairs within each count, summed."""
    import numpy as np

    counts = np.asarray(counts)
    return float((counts * (counts - 1) / 2).sum())
