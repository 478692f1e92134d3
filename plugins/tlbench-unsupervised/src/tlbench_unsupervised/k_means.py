"""K-means on projected features, as a linear map from features to logits of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from tlbench_finetune.probes.samples import Sample

from tlbench.training import Linear, Scale

STARTS = 10
"""Number of starts of k-means, of which the one with the smallest distances counts."""


def nearest_centre(sample: Sample, classes: int, components: int | None, whitens: bool, seed: int) -> Linear:
    """Returns the map to minus half the squared distances from the centres, up to a constant of the example.

    Args:
        sample: Features of N examples, and their classes, by which clusters are named.
        classes: The number of clusters; there are fewer if there are fewer examples.
        components: The number of principal components to keep; None for all features as they are.
        whitens: Whether each component is scaled to variance 1.
        seed: Seed of the starts.
    """
    scale = Scale.of(sample.features)
    x = scale.standardise(sample.features).to(scale.dtype)
    directions = None if components is None else principal_directions(x, components, whitens)
    projected = x if directions is None else x @ directions
    means: Any = KMeans(min(classes, len(x)), n_init=STARTS, random_state=seed).fit(projected.cpu().numpy())
    centres = torch.from_numpy(means.cluster_centers_).to(projected)
    names = named_clusters(means.labels_, sample.targets.cpu().numpy(), classes)
    weight = centres if directions is None else centres @ directions.T
    bias = -centres.square().sum(1) / 2
    # Rows of classes that no cluster is named by keep a logit that is never the largest.
    all_weights = weight.new_zeros(classes, x.shape[1])
    all_biases = bias.new_full((classes,), -1e9)
    all_weights[names], all_biases[names] = weight, bias
    return scale.on_raw_features(all_weights, all_biases)


def principal_directions(x: torch.Tensor, components: int, whitens: bool) -> torch.Tensor:
    """Returns the directions of largest variance of centred rows (N, D), as columns (D, d).

    There are at most N - 1 and D of them; with `whitens` each is divided by the standard deviation along it.
    """
    count = max(1, min(components, len(x) - 1, x.shape[1]))
    _, lengths, directions = torch.linalg.svd(x - x.mean(0), full_matrices=False)
    kept = directions[:count].T
    # A direction without variance is left as it is: dividing by 0 would make infinities.
    deviation = (lengths[:count] / max(1, len(x) - 1) ** 0.5).clamp(min=1e-6)
    return kept / deviation if whitens else kept


def named_clusters(clusters: np.ndarray, targets: np.ndarray, classes: int) -> list[int]:
    """Returns the class of each cluster, one to one, so that as many examples as possible are of their cluster's."""
    count = int(clusters.max()) + 1
    table = np.zeros((count, classes), dtype=np.int64)
    np.add.at(table, (clusters, targets), 1)
    _, names = linear_sum_assignment(table, maximize=True)
    return [int(name) for name in names]
