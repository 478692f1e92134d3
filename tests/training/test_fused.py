"""Many linear heads at once, against scikit-learn one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from tlbench.training import fused
from tlbench.training.fused import logistic_regressions, ridge_regressions

PENALTIES = [1e-4, 1e-2, 1.0]


def _features(rows: int, width: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(rows, width)) @ rng.normal(size=(width, width))
    return torch.from_numpy(3.0 + mixed).float()


def _labels(features: Tensor, classes: int, seed: int = 1) -> Tensor:
    rng = np.random.default_rng(seed)
    x = features.numpy()
    logits = (x - x.mean(0)) / x.std(0) @ rng.normal(size=(x.shape[1], classes))
    return torch.from_numpy((logits + 2 * rng.gumbel(size=logits.shape)).argmax(1))


def _standardised(features: Tensor) -> np.ndarray:
    x = features.double().numpy()
    return (x - x.mean(0)) / x.std(0)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("rows", "width", "classes"), [(200, 12, 2), (200, 12, 5), (30, 60, 3)])
def test_logistic_regressions_are_those_of_scikit_learn(
    monkeypatch: pytest.MonkeyPatch, rows: int, width: int, classes: int, exact: bool
) -> None:
    monkeypatch.setattr(fused, "FP64_ELEMENTS", 2**30 if exact else 0)
    features = _features(rows, width)
    targets = _labels(features, classes)
    x = _standardised(features)
    for penalty, linear in zip(PENALTIES, logistic_regressions(features, targets, classes, PENALTIES), strict=True):
        theirs = LogisticRegression(C=1 / (penalty * rows), tol=1e-8, max_iter=5000).fit(x, targets)
        mine = linear(features).softmax(-1).numpy()
        assert np.abs(mine - theirs.predict_proba(x)).max() < 2e-3, penalty


def test_ridge_regressions_are_those_of_scikit_learn() -> None:
    for rows, width in [(100, 10), (20, 40)]:
        features = _features(rows, width)
        targets = features[:, 0] - 2 * features[:, 3] + torch.randn(rows, generator=torch.Generator().manual_seed(0))
        x = _standardised(features)
        for penalty, linear in zip(PENALTIES, ridge_regressions(features, targets, PENALTIES), strict=True):
            theirs = Ridge(alpha=penalty * rows).fit(x, targets.double().numpy()).predict(x)
            assert np.abs(linear(features).squeeze(-1).numpy() - theirs).max() < 1e-3 * np.abs(theirs).max(), penalty


@pytest.mark.parametrize("classes", [2, 4])
def test_a_setting_is_not_changed_by_its_neighbours(classes: int) -> None:
    features = _features(100, 20)
    targets = _labels(features, classes)
    together = logistic_regressions(features, targets, classes, [1e-5, 1e-3, 1e-1, 10.0])
    (alone,) = logistic_regressions(features, targets, classes, [1e-3])
    torch.testing.assert_close(together[1].weight, alone.weight, rtol=1e-4, atol=1e-6)


def test_settings_that_do_not_fit_at_once_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    features = _features(50, 8)
    targets = _labels(features, 3)
    whole = logistic_regressions(features, targets, 3, PENALTIES)
    monkeypatch.setattr(fused, "CHUNK_ELEMENTS", 50 * 3)
    for one, other in zip(whole, logistic_regressions(features, targets, 3, PENALTIES), strict=True):
        torch.testing.assert_close(one.weight, other.weight, rtol=1e-4, atol=1e-6)


def test_a_class_that_training_never_showed_is_never_predicted() -> None:
    features = _features(60, 8)
    labels = _labels(features, 3)
    (linear,) = logistic_regressions(features, torch.tensor([1, 3, 4])[labels], 6, [1e-2])
    (compact,) = logistic_regressions(features, labels, 3, [1e-2])
    assert linear.weight.shape == (6, 8)
    assert linear.is_finite
    probabilities = linear(features).softmax(-1)
    assert probabilities[:, [0, 2, 5]].max() < 1e-6
    torch.testing.assert_close(probabilities[:, [1, 3, 4]], compact(features).softmax(-1), atol=1e-5, rtol=0)


def test_a_single_class_is_always_predicted() -> None:
    features = _features(20, 4)
    (linear,) = logistic_regressions(features, torch.full((20,), 1), 3, [1e-2])
    assert linear(features).argmax(-1).tolist() == [1] * 20


def test_a_constant_feature_has_no_weight() -> None:
    features = _features(50, 5)
    features[:, 2] = 7.0
    targets = _labels(features[:, [0, 1, 3, 4]], 2)
    (logistic,) = logistic_regressions(features, targets, 2, [1e-3])
    (ridge,) = ridge_regressions(features, features[:, 0], [1e-3])
    assert logistic.is_finite
    assert ridge.is_finite
    assert not logistic.weight[:, 2].any()
    assert not ridge.weight[:, 2].any()


def test_separable_classes_end_finite_at_a_small_penalty() -> None:
    features = _features(10, 30)
    (linear,) = logistic_regressions(features, torch.arange(10) % 2, 2, [1e-6])
    assert linear.is_finite
    assert (linear(features).argmax(-1) == torch.arange(10) % 2).all()
