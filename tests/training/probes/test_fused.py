"""Logistic and ridge regressions solved together, against scikit-learn one by one.

Features and results are in fp64 unless a test converts them.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.training.probes import axes, fused
from tlbench.training.probes.axes import Linear
from tlbench.training.probes.fused import (
    Regression,
    logistic_regressions,
    ridge_regressions,
    solve_labels,
    solve_logistic,
    solve_ridge,
)
from tlbench.training.probes.lbfgs import TOLERANCE

pytestmark = pytest.mark.equivalence

PENALTIES = [1e-4, 1e-2, 1.0]


def _features(rows: int, width: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(rows, width)) @ rng.normal(size=(width, width))
    return torch.from_numpy(3.0 + mixed)


def _labels(features: Tensor, classes: int, seed: int = 1) -> Tensor:
    rng = np.random.default_rng(seed)
    x = features.numpy()
    logits = (x - x.mean(0)) / x.std(0) @ rng.normal(size=(x.shape[1], classes))
    return torch.from_numpy((logits + 2 * rng.gumbel(size=logits.shape)).argmax(1))


def _solver_error(rows: int) -> float:
    """Returns a bound on the error of a probability when the solver stops.

    The mean loss is then within about `TOLERANCE` / 2 of the optimum, and one row can have all of the difference. That
    difference is a Kullback-Leibler divergence, which is at least twice the squared difference of the probabilities
    (Pinsker's inequality). The factor of 2 allows for the "about".
    """
    return 2 * (rows * TOLERANCE / 2 / 2) ** 0.5


def _standardised(features: Tensor) -> np.ndarray:
    x = features.double().numpy()
    return (x - x.mean(0)) / x.std(0)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(("rows", "width", "classes"), [(200, 12, 2), (200, 12, 5), (30, 60, 3)])
def test_logistic_regressions_are_those_of_scikit_learn(
    monkeypatch: pytest.MonkeyPatch, rows: int, width: int, classes: int, exact: bool
) -> None:
    monkeypatch.setattr(axes, "FP64_ELEMENTS", 2**30 if exact else 0)
    features = _features(rows, width) if exact else _features(rows, width).float()
    targets = _labels(features, classes)
    x = _standardised(features)
    for penalty, linear in zip(PENALTIES, logistic_regressions(features, targets, classes, PENALTIES), strict=True):
        theirs = LogisticRegression(C=1 / (penalty * rows), tol=1e-8, max_iter=5000).fit(x, targets)
        mine = linear(features).softmax(-1).numpy()
        assert np.abs(mine - theirs.predict_proba(x)).max() < _solver_error(rows), penalty


def test_ridge_regressions_are_those_of_scikit_learn() -> None:
    for rows, width in [(100, 10), (20, 40)]:
        features = _features(rows, width)
        noise = torch.randn(rows, generator=torch.Generator().manual_seed(0))
        targets = features[:, 0] - 2 * features[:, 3] + noise
        x = _standardised(features)
        for penalty, linear in zip(PENALTIES, ridge_regressions(features, targets, PENALTIES), strict=True):
            theirs = Ridge(alpha=penalty * rows).fit(x, targets.double().numpy()).predict(x)
            assert_same_in_fp64(linear(features).squeeze(-1), torch.from_numpy(theirs), str(penalty))


@pytest.mark.parametrize("classes", [2, 4])
def test_a_setting_is_not_changed_by_its_neighbours(classes: int) -> None:
    features = _features(100, 20)
    targets = _labels(features, classes)
    together = logistic_regressions(features, targets, classes, [1e-5, 1e-3, 1e-1, 10.0])
    (alone,) = logistic_regressions(features, targets, classes, [1e-3])
    assert_same_in_fp64(together[1].weight, alone.weight)


def test_settings_that_do_not_fit_at_once_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    features = _features(50, 8)
    targets = _labels(features, 3)
    whole = logistic_regressions(features, targets, 3, PENALTIES)
    monkeypatch.setattr(fused, "CHUNK_ELEMENTS", 50 * 3)
    for one, other in zip(whole, logistic_regressions(features, targets, 3, PENALTIES), strict=True):
        assert_same_in_fp64(one.weight, other.weight)


def test_a_class_that_training_never_showed_is_never_predicted() -> None:
    features = _features(60, 8)
    labels = _labels(features, 3)
    (linear,) = logistic_regressions(features, torch.tensor([1, 3, 4])[labels], 6, [1e-2])
    (compact,) = logistic_regressions(features, labels, 3, [1e-2])
    assert linear.weight.shape == (6, 8)
    assert linear.is_finite
    probabilities = linear(features).softmax(-1)
    there, absent = probabilities[:, [1, 3, 4]], probabilities[:, [0, 2, 5]]
    # exp(-20), about 2e-9, relative to the lowest bias.
    assert absent.max() < 1e-6
    assert_same_in_fp64(there / there.sum(1, keepdim=True), compact(features).softmax(-1))


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


@pytest.mark.parametrize("rows", [1, 6])
def test_identical_rows_are_predicted_as_their_majority_or_mean(rows: int) -> None:
    features = torch.full((rows, 3), 2.5, dtype=torch.float64)
    targets = torch.arange(rows) % 3 % 2
    labels = torch.nn.functional.one_hot(targets, 3).float()
    for maps in (
        logistic_regressions(features, targets, 3, PENALTIES),
        ridge_regressions(features, 10.0 + targets, PENALTIES),
        solve_labels([Regression(features, labels, PENALTIES)])[0],
    ):
        assert len(maps) == len(PENALTIES)
        assert all(one.is_finite and not one.weight.any() for one in maps)
    assert logistic_regressions(features, targets, 3, [1e-2])[0](features).argmax(-1).tolist() == [0] * rows
    (ridge,) = ridge_regressions(features, 10.0 + targets, [1e-2])
    assert_same_in_fp64(ridge(features)[:, 0], (10.0 + targets.double().mean()).expand(rows))


def test_separable_classes_end_finite_at_a_small_penalty() -> None:
    features = _features(10, 30)
    (linear,) = logistic_regressions(features, torch.arange(10) % 2, 2, [1e-6])
    assert linear.is_finite
    assert (linear(features).argmax(-1) == torch.arange(10) % 2).all()


def _problems(sizes: list[int], classes: int, penalties: list[list[float]]) -> list[Regression]:
    features = [_features(rows, 16, seed) for seed, rows in enumerate(sizes)]
    labels = [_labels(x, classes, seed) for seed, x in enumerate(features)]
    return [Regression(*one) for one in zip(features, labels, penalties, strict=True)]


def _assert_alike(mine: list[list[Linear]], theirs: list[list[Linear]]) -> None:
    assert [len(maps) for maps in mine] == [len(maps) for maps in theirs]
    for one, other in zip(chain(*mine), chain(*theirs), strict=True):
        assert_same_in_fp64(one.weight, other.weight)
        assert_same_in_fp64(one.bias, other.bias)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(
    ("sizes", "penalties"),
    [
        ([70, 70, 70], [[1e-2]] * 3),
        ([65, 90, 120, 10], [[1e-2], [1e-3], [1.0], [1e-1]]),
        ([70, 80], [[1e-5, 1e-3, 10.0], [1e-2, 1.0, 1e-4]]),
        ([70, 70, 200], [[1e-3, 1.0], [1e-2], [1e-2, 1e-1]]),
    ],
    ids=["equal sizes", "other sizes", "several penalties", "other numbers of penalties"],
)
def test_problems_solved_together_are_those_solved_alone(
    classes: int, sizes: list[int], penalties: list[list[float]]
) -> None:
    problems = _problems(sizes, classes, penalties)
    alone = [logistic_regressions(one.features, one.targets, classes, one.penalties) for one in problems]
    _assert_alike(solve_logistic(problems, classes), alone)
    ridges = [Regression(one.features, one.features[:, 0], one.penalties) for one in problems]
    _assert_alike(solve_ridge(ridges), [ridge_regressions(r.features, r.targets, r.penalties) for r in ridges])


def test_problems_solved_together_are_those_of_scikit_learn() -> None:
    problems = _problems([90, 120], 3, [[1e-3, 1e-1]] * 2)
    for problem, maps in zip(problems, solve_logistic(problems, 3), strict=True):
        x = _standardised(problem.features)
        for penalty, linear in zip(problem.penalties, maps, strict=True):
            theirs = LogisticRegression(C=1 / (penalty * len(x)), tol=1e-8, max_iter=5000).fit(x, problem.targets)
            mine = linear(problem.features).softmax(-1).numpy()
            assert np.abs(mine - theirs.predict_proba(x)).max() < _solver_error(len(x))


def test_problems_that_do_not_fit_at_once_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = _problems([70, 80, 90], 3, [[1e-3, 1e-1, 1.0]] * 3)
    whole = solve_logistic(problems, 3)
    for elements in (2 * 90 * 16, 90 * 3):
        monkeypatch.setattr(fused, "CHUNK_ELEMENTS", elements)
        _assert_alike(solve_logistic(problems, 3), whole)


def test_problems_that_show_other_classes_are_not_mixed() -> None:
    problems = _problems([70, 70, 70], 4, [[1e-2]] * 3)
    shown = [problems[0].targets, problems[1].targets % 2, torch.full((70,), 3)]
    problems = [Regression(p.features, targets, p.penalties) for p, targets in zip(problems, shown, strict=True)]
    maps = solve_logistic(problems, 4)
    _assert_alike(maps, [logistic_regressions(p.features, p.targets, 4, p.penalties) for p in problems])
    predicted = [set(one(p.features).argmax(-1).tolist()) for p, (one,) in zip(problems, maps, strict=True)]
    assert predicted[1] <= {0, 1}
    assert predicted[2] == {3}


def test_no_problem_is_no_work() -> None:
    assert solve_logistic([], 2) == solve_ridge([]) == []


def _flags(features: Tensor, labels: int, seed: int = 3) -> Tensor:
    """Returns (N, K) labels of 0 and 1 that do not exclude each other."""
    return torch.stack([_labels(features, 2, seed + i) for i in range(labels)], dim=1)


def test_labels_are_logistic_regressions_of_their_own() -> None:
    features = _features(120, 12)
    flags = _flags(features, 3)
    x = _standardised(features)
    ((small, middle, large),) = solve_labels([Regression(features, flags, PENALTIES)])
    for penalty, linear in zip(PENALTIES, (small, middle, large), strict=True):
        assert linear.weight.shape == (3, 12)
        for label in range(3):
            theirs = LogisticRegression(C=1 / (penalty * 120), tol=1e-8, max_iter=5000).fit(x, flags[:, label])
            mine = linear(features)[:, label].sigmoid().numpy()
            assert np.abs(mine - theirs.predict_proba(x)[:, 1]).max() < _solver_error(120), (penalty, label)


def test_a_label_is_not_changed_by_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = []
    for seed, rows in enumerate([70, 80, 70]):
        features = _features(rows, 16, seed)
        problems.append(Regression(features, _flags(features, 4, seed), [1e-3, 1e-1]))
    together = solve_labels(problems)
    for problem, maps in zip(problems, together, strict=True):
        for label in range(4):
            alone = Regression(problem.features, problem.targets[:, [label]], problem.penalties)
            for one, other in zip(maps, solve_labels([alone])[0], strict=True):
                assert_same_in_fp64(one.weight[label], other.weight[0])
                assert_same_in_fp64(one.bias[label], other.bias[0])
    monkeypatch.setattr(fused, "CHUNK_ELEMENTS", 80 * 4)
    _assert_alike(solve_labels(problems), together)


def test_a_label_that_all_or_no_rows_have_is_always_or_never_predicted() -> None:
    features = _features(40, 6)
    flags = torch.stack([torch.zeros(40), torch.ones(40), _labels(features, 2).float()], dim=1)
    ((linear,), (constant,)) = solve_labels(
        [Regression(features, flags, [1e-2]), Regression(features, flags[:, :2], [1e-2])]
    )
    assert linear.is_finite
    probabilities = linear(features).sigmoid()
    # Logits of -20 and 20, probabilities 2e-9 from 0 and 1.
    assert probabilities[:, 0].max() < 1e-6
    assert probabilities[:, 1].min() > 1 - 1e-6
    assert ((probabilities[:, 2] > 0.5) == flags[:, 2].bool()).float().mean() > 0.6
    assert_same_in_fp64(constant(features), linear(features)[:, :2])
