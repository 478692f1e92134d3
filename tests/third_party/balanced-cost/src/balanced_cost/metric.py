"""The mean cost of a mistake, where every class counts the same."""

import numpy as np

from tlbench import Classes, Metric


class BalancedCost(Metric):
    """1 for each mistake, weighed by how rare its class is."""

    name = "balanced_cost"
    label = "balanced cost"
    outputs = (Classes,)
    citation = "One minus the mean recall of the classes that occur."
    greater_is_better = False
    worst = 1.0
    in_points = False

    classes = 16

    def statistics(self, scored):
        targets, hits = np.asarray(scored.targets), np.asarray(scored.values) == np.asarray(scored.targets)
        of_class = np.eye(self.classes, dtype=np.int64)[targets]
        return np.concatenate([of_class, of_class * hits[:, None]], axis=1)

    def value(self, sums):
        counts, hits = sums[..., : self.classes], sums[..., self.classes :]
        recall = np.divide(hits, counts, out=np.zeros_like(hits, dtype=float), where=counts > 0)
        return 1 - recall.sum(-1) / np.maximum((counts > 0).sum(-1), 1)
