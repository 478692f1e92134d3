import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.find.making.feature_scores import FEATURE_SCORES, Spectrum, h_score, log_me, nearest_neighbours


def example(rows=60, width=5, separation=1.5, seed=0):
    random = np.random.default_rng(seed)
    targets = random.integers(0, 3, rows)
    features = random.normal(size=(rows, width))
    features[:, 0] += separation * targets
    return features, targets


@pytest.mark.parametrize("width", [5, 80])
def test_the_evidence_is_the_density_of_a_normal_distribution(width):
    features, targets = example(width=width)
    spectrum = Spectrum.of(features)
    target = (targets == 1).astype(float)
    alpha, beta = spectrum.precisions(target)
    covariance = np.eye(len(target)) / beta + features @ features.T / alpha
    direct = multivariate_normal(np.zeros(len(target)), covariance).logpdf(target) / len(target)
    assert spectrum.log_evidence(target, alpha, beta) == pytest.approx(direct, rel=1e-9)


def test_the_precisions_maximise_the_evidence():
    features, targets = example()
    spectrum, target = Spectrum.of(features), (targets == 2).astype(float)
    alpha, beta = spectrum.precisions(target)
    best = spectrum.log_evidence(target, alpha, beta)
    for factors in ((0.9, 1), (1.1, 1), (1, 0.9), (1, 1.1)):
        assert spectrum.log_evidence(target, alpha * factors[0], beta * factors[1]) < best


def test_logme_is_the_mean_over_the_classes():
    features, targets = example()
    spectrum = Spectrum.of(features)
    each = []
    for one in range(3):
        target = (targets == one).astype(float)
        each.append(spectrum.log_evidence(target, *spectrum.precisions(target)))
    assert log_me(features, targets) == pytest.approx(sum(each) / 3)


def test_the_h_score_is_the_trace_of_its_definition():
    features, targets = example()
    centred = features - features.mean(0)
    covariance, shrinkage = ledoit_wolf(centred)
    # E[f | y] of each row, as the paper has it
    expected = np.stack([centred[targets == target].mean(0) for target in targets])
    direct = np.trace(np.linalg.inv(covariance) @ ((1 - shrinkage) * expected.T @ expected / len(targets)))
    assert h_score(features, targets) == pytest.approx(direct, rel=1e-9)


def test_neighbours_are_those_of_leave_one_out_where_two_agree():
    random = np.random.default_rng(1)
    targets = random.integers(0, 2, 50)  # of two classes two of three neighbours always agree
    features = random.normal(size=(50, 4)) + targets[:, None]
    direct = cross_val_score(KNeighborsClassifier(3), features, targets, cv=LeaveOneOut()).mean()
    assert nearest_neighbours(features, targets) == pytest.approx(direct)


def test_the_nearest_neighbour_decides_where_all_three_differ():
    features = np.array([[0.0], [1.0], [2.5], [4.0]])
    assert nearest_neighbours(features, np.array([1, 1, 0, 2])) == 0.5


@pytest.mark.parametrize("name", FEATURE_SCORES)
def test_features_that_tell_the_classes_apart_score_higher(name):
    score = FEATURE_SCORES[name]
    assert score(*example(separation=4)) > score(*example(separation=0.5)) > score(*example(separation=0))


@pytest.mark.parametrize("name", FEATURE_SCORES)
def test_constant_features_have_a_finite_score(name):
    features, targets = example()
    features[:, 1:] = 0
    assert np.isfinite(FEATURE_SCORES[name](features, targets))
