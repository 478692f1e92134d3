"""Nearest neighbours and nearest class means, compared with scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestCentroid
from tlbench_finetune.probes.neighbours import TEMPERATURE, Neighbours
from tlbench_finetune.probes.prototypes import Prototypes, _nearest_mean
from tlbench_finetune.probes.samples import Sample

from tlbench import Protocol, Strategy, UsageError
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import make_job
from tlbench.testing.toys import ToyBackbone, ToyScalarTask, ToyTask
from tlbench.training.probes.axes import Scale

PROTOCOL = Protocol(precision="fp32")


class TestNeighbours(StrategyConformance):
    strategy = Neighbours()


class TestPrototypes(StrategyConformance):
    strategy = Prototypes()
    fused_tolerance = 0.001


def _job(strategy: Strategy, task: Any, **params: float) -> Any:
    return make_job(strategy, ToyBackbone(), task, params, PROTOCOL)


def _units(job: Any, data: Any) -> np.ndarray:
    features = job.activations.features(job.encoder, data, "fp32")
    return torch.nn.functional.normalize(features, dim=1).numpy()


def _weights(distances: np.ndarray) -> np.ndarray:
    return np.exp((1 - distances) / TEMPERATURE)


@pytest.mark.parametrize("k", [1, 7, 64])
def test_neighbours_vote_as_in_scikit_learn(k: int) -> None:
    job = _job(Neighbours(), ToyTask(), k=k)
    predictions = Neighbours().fit(job).predict(job.validation)
    reference = KNeighborsClassifier(k, metric="cosine", weights=_weights, algorithm="brute")
    reference.fit(_units(job, job.train), job.train.targets)
    expected = reference.predict_proba(_units(job, job.validation))
    assert np.allclose(predictions.scores, expected, atol=1e-4)
    assert np.allclose(predictions.scores.sum(1), 1)


def test_numbers_are_the_neighbours_weighted_mean() -> None:
    job = _job(Neighbours(), ToyScalarTask(), k=5)
    predictions = Neighbours().fit(job).predict(job.validation)
    reference = KNeighborsRegressor(5, metric="cosine", weights=_weights, algorithm="brute")
    reference.fit(_units(job, job.train), job.train.targets)
    assert np.allclose(predictions.values, reference.predict(_units(job, job.validation)), atol=1e-4)


def test_more_neighbours_than_examples_are_all_of_them() -> None:
    job = _job(Neighbours(), ToyTask(train=8), k=200)
    assert len(Neighbours().fit(job).predict(job.validation).values) == 32


@pytest.mark.parametrize("damage", ["k", "class"])
def test_a_damaged_file_is_refused(damage: str, tmp_path: Any) -> None:
    job = _job(Neighbours(), ToyTask(), k=5)
    predictor = Neighbours().fit(job)
    if damage == "class":
        predictor.targets[0] = 7  # type: ignore[attr-defined]
    predictor.save(tmp_path)
    other = _job(Neighbours(), ToyTask(), k=6 if damage == "k" else 5)
    with pytest.raises(UsageError, match="other params" if damage == "k" else "not one of the 2 classes"):
        Neighbours().load(other, tmp_path)


def _sample(classes: int = 3) -> Sample:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, classes, 60)
    features = rng.standard_normal((60, 5)) * [1, 2, 3, 4, 5] + targets[:, None] * [0.0, 1, 0.5, 0, 2]
    return Sample(torch.from_numpy(features), torch.from_numpy(targets))


def test_prototypes_are_scikit_learns_nearest_centroids() -> None:
    sample = _sample()
    x = Scale.of(sample.features).standardise(sample.features).numpy()
    reference = NearestCentroid().fit(x, sample.targets.numpy())
    linear = _nearest_mean(sample, 3, 0.0)
    logits = linear(sample.features).numpy()
    assert np.array_equal(logits.argmax(1), reference.predict(x))
    # Up to a constant of each example, a logit is minus half the squared distance.
    distances = ((x[:, None] - reference.centroids_[None]) ** 2).sum(-1)
    gaps = (logits + distances / 2).std(1)
    assert np.allclose(gaps, 0, atol=1e-8)


def test_shrinkage_moves_each_mean_by_its_standard_error_towards_0() -> None:
    sample = _sample()
    x = Scale.of(sample.features).standardise(sample.features)
    plain, shrunk = (_nearest_mean(sample, 3, amount) for amount in (0.0, 1.5))
    deviation = sample.features.std(0, unbiased=False)
    before, after = (linear.weight.double() * deviation for linear in (plain, shrunk))
    counts = torch.bincount(sample.targets).double()
    within = sum((x[sample.targets == k] - before[k]).square().sum(0) for k in range(3)) / (60 - 3)
    errors = (1 / counts - 1 / 60).sqrt()[:, None] * within.sqrt()
    assert torch.allclose(after, before.sign() * (before.abs() - 1.5 * errors).clamp(min=0), atol=1e-8)
    assert (after == 0).any()
    assert _nearest_mean(sample, 3, 1e6).weight.abs().max() == 0


def test_a_class_without_examples_is_never_predicted() -> None:
    linear = _nearest_mean(_sample(3), 5, 0.0)
    assert set(linear(_sample().features).argmax(1).tolist()) <= {0, 1, 2}


def test_what_does_not_apply_is_told() -> None:
    assert "leave class_weight out" in (Neighbours(class_weight="balanced").supports(ToyBackbone(), ToyTask()) or "")
    assert "leave class_weight out" in (Prototypes(class_weight="balanced").supports(ToyBackbone(), ToyTask()) or "")
    assert "not one class" in (Prototypes().supports(ToyBackbone(), ToyScalarTask()) or "")
