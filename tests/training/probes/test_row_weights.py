"""Probes with row weights: weighted means of losses as torch and scikit-learn define them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from tests.training.probes.test_fused import PENALTIES, _features, _solver_error, _standardised
from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.training import Regression, balanced_weights, solve_labels, solve_logistic, solve_ridge
from tlbench.training.probes.stacked import HeadSetting, _HeadStack, train_heads

pytestmark = pytest.mark.equivalence


def _imbalanced(features: Tensor, classes: int) -> Tensor:
    """Returns classes that overlap, of which each is about three times as frequent as the next."""
    noise = np.random.default_rng(2).normal(size=len(features))
    order = torch.from_numpy(features[:, 0].numpy() + 3 * noise).argsort().argsort().double() / len(features)
    edges = torch.tensor([1 - 3.0**-k for k in range(1, classes)], dtype=torch.float64)
    return torch.bucketize(order, edges)


@pytest.mark.parametrize("classes", [2, 4])
def test_balanced_regressions_are_those_of_scikit_learn(classes: int) -> None:
    """Two sets of different sizes are solved together, so that the weights have to survive padding."""
    problems, expected = [], []
    for rows in (150, 210):
        features = _features(rows, 8, seed=rows)
        targets = _imbalanced(features, classes)
        problems.append(Regression(features, targets, PENALTIES, balanced_weights(targets, classes)[targets]))
        for penalty in PENALTIES:
            theirs = LogisticRegression(C=1 / (penalty * rows), class_weight="balanced", tol=1e-8, max_iter=5000)
            x = _standardised(features)
            expected.append((rows, theirs.fit(x, targets).predict_proba(x)))
    solved = solve_logistic(problems, classes)
    mine = [linear(one.features) for one, maps in zip(problems, solved, strict=True) for linear in maps]
    for logits, (rows, theirs) in zip(mine, expected, strict=True):
        assert np.abs(logits.softmax(-1).numpy() - theirs).max() < _solver_error(rows)
    (unweighted,) = solve_logistic([dataclasses.replace(problems[0], row_weights=None)], classes)
    assert not torch.allclose(unweighted[2](problems[0].features).softmax(-1), mine[2].softmax(-1), atol=0.05)


def test_weights_of_labels_count_rows_as_often() -> None:
    """Features of mean 0 and deviation 1 with and without repetition: both sets of rows are symmetric."""
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    features, labels = signs.repeat(3, 1), torch.tensor([[0, 1], [1, 0], [1, 1], [0, 0]] * 2 + [[1, 0]] * 4).float()
    counts = torch.tensor([1, 2, 4]).repeat_interleave(4)
    repeated = Regression(features.repeat_interleave(counts, 0), labels.repeat_interleave(counts, 0), [0.1])
    (mine,), (theirs,) = (solve_labels([one])[0] for one in (Regression(features, labels, [0.1], counts), repeated))
    assert torch.allclose(mine(features), theirs(features), atol=1e-3)
    (unweighted,) = solve_labels([Regression(features, labels, [0.1])])[0]
    assert not torch.allclose(mine(features), unweighted(features), atol=0.1)


def test_ridge_regressions_refuse_weights() -> None:
    with pytest.raises(ValueError, match="no row weights"):
        solve_ridge([Regression(_features(9, 2), torch.ones(9), [0.1], torch.ones(9))])


def test_stacked_heads_have_the_weighted_loss_of_torch() -> None:
    features = _features(60, 6)
    targets = _imbalanced(features, 3)
    weights = balanced_weights(targets, 3)
    setting = HeadSetting(features, targets, 0, 1e-2, 0.1, 1, weights[targets])
    settings = [setting, dataclasses.replace(setting, seed=1), dataclasses.replace(setting, row_weights=None)]
    stack = _HeadStack(settings[:2], [6, 4, 3], "relu", 16)
    expected = torch.zeros((), dtype=torch.float64)
    for index, stream in enumerate(stack.streams):
        rows = stream.order[0]
        hidden = torch.relu(stream.rows[rows] @ stack.weights[0][index])
        expected += nn.CrossEntropyLoss(weights)(hidden @ stack.weights[1][index], targets[rows])
    assert_same_in_fp64(stack._loss(0), expected)
    # Settings with weights and without may be trained by one call.
    heads = train_heads([dataclasses.replace(one, steps=30) for one in settings], 3, [4], batch_size=16)
    (alone,) = train_heads([dataclasses.replace(settings[2], steps=30)], 3, [4], batch_size=16)
    assert_same_in_fp64(heads[2].maps[0].weight, alone.maps[0].weight)
    assert not torch.allclose(heads[0].maps[0].weight, heads[2].maps[0].weight, atol=1e-3)
