"""Clustering: conformance, metrics equal to scikit-learn's, and clusters found where there are some."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from tlbench_finetune.probes.samples import Sample
from tlbench_unsupervised.cluster import Cluster
from tlbench_unsupervised.clustering_metrics import AdjustedRand, NormalizedMutualInformation, OfContingency, Purity
from tlbench_unsupervised.k_means import named_clusters, nearest_centre, principal_directions

from tlbench import Protocol
from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Scored
from tlbench.testing.conformance import MetricConformance, StrategyConformance
from tlbench.testing.toy_kinds import ToyLabelsTask
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask


class TestCluster(StrategyConformance):
    strategy = Cluster()
    tasks = (ToyTask(),)
    protocol = Protocol(precision="fp32")


class TestNormalizedMutualInformation(MetricConformance):
    metric = NormalizedMutualInformation()


class TestAdjustedRand(MetricConformance):
    metric = AdjustedRand()


class TestPurity(MetricConformance):
    metric = Purity()


def purity(targets: Any, clusters: Any) -> float:
    return sum(max(np.bincount(targets[clusters == one])) for one in np.unique(clusters)) / len(targets)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (NormalizedMutualInformation(), normalized_mutual_info_score),
        (AdjustedRand(), adjusted_rand_score),
        (Purity(), purity),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_metrics_are_those_of_the_library(metric: OfContingency, expected: Any) -> None:
    random = np.random.default_rng(4)
    cases = [(random.integers(0, k, n), random.integers(0, k, n)) for n, k in ((1, 2), (7, 3), (60, 2), (300, 9))]
    cases += [
        (np.zeros(5, int), np.zeros(5, int)),
        (np.zeros(5, int), np.arange(5)),
        (np.arange(5), np.arange(5)[::-1]),
    ]
    for targets, clusters in cases:
        assert score(metric, Scored(targets, clusters)) == pytest.approx(expected(targets, clusters), abs=1e-12)


def planted(per_class: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Three clusters on a plane, and eighteen directions of larger noise."""
    generator = torch.Generator().manual_seed(1)
    targets = torch.arange(3).repeat(per_class)
    centres = torch.tensor([[0.0, 9.0], [8.0, -5.0], [-8.0, -5.0]])
    features = torch.randn(len(targets), 2, generator=generator) + centres[targets]
    return features, targets


def test_planted_clusters_are_found_and_named_by_their_classes() -> None:
    features, targets = planted()
    for components, whitens in ((None, False), (2, False), (2, True)):
        head = nearest_centre(Sample(features, targets), 3, components, whitens, seed=0)
        assert torch.equal(head(features).argmax(1), targets)


def test_the_map_is_half_the_squared_distance_from_the_centres() -> None:
    features, targets = planted(5)
    sample = Sample(features, targets)
    logits = nearest_centre(sample, 3, None, False, seed=0)(features)
    x = (features - features.mean(0)) / features.std(0, correction=0)
    means = torch.stack([x[targets == one].mean(0) for one in range(3)])
    distances = torch.cdist(x, means).square() / 2
    # Equal up to a constant of each example.
    torch.testing.assert_close(
        logits - logits.mean(1, keepdim=True), -(distances - distances.mean(1, keepdim=True)), atol=1e-4, rtol=1e-4
    )


def test_whitened_components_have_unit_covariance() -> None:
    x = torch.randn(50, 6, dtype=torch.float64) @ torch.diag(torch.tensor([9.0, 5, 3, 2, 1, 0.5], dtype=torch.float64))
    white = (x - x.mean(0)) @ principal_directions(x, 4, whitens=True)
    torch.testing.assert_close(white.T @ white / 49, torch.eye(4, dtype=torch.float64))
    assert principal_directions(x[:3], 200, whitens=False).shape == (6, 2)


def test_names_agree_with_as_many_labels_as_possible() -> None:
    # Cluster 0 has most of class 1, and cluster 1 as well, but only one of them can have its name.
    clusters = np.array([0, 0, 0, 1, 1, 1, 2])
    targets = np.array([1, 1, 1, 1, 1, 0, 2])
    assert named_clusters(clusters, targets, 3) == [1, 0, 2]


def test_fewer_examples_than_classes_leave_classes_that_are_never_predicted() -> None:
    head = nearest_centre(Sample(torch.eye(2, 4), torch.tensor([2, 0])), 3, None, False, seed=0)
    assert head(torch.eye(2, 4)).argmax(1).tolist() == [2, 0]


@pytest.mark.parametrize("task", [ToyScalarTask(), ToyLabelsTask()])
def test_only_single_classes_are_clustered(task: Any) -> None:
    reason = Cluster().supports(ToyBackbone(), task)
    assert reason is not None
    assert reason.startswith("cluster puts each example into one cluster")
