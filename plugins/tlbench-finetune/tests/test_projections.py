"""Linear probes of principal components: what they solve, and that they may leave some out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tlbench_finetune.probes.linear_probe import LinearProbe

from tlbench.testing.agreement import assert_same_in_fp64
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.toys import ToyBackbone, ToyTask
from tlbench.training import Regression, solve_logistic, solve_ridge


class TestProbeOfWhitenedComponents(StrategyConformance):
    strategy = LinearProbe(projection="whiten")
    fused_tolerance = 0.001


def _data() -> tuple[torch.Tensor, torch.Tensor]:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(40, 6)) @ np.diag([5, 3, 2, 1, 0.5, 0.1]) @ draw.normal(size=(6, 6)) + 3
    y = x @ draw.normal(size=6)
    return torch.from_numpy(x), torch.from_numpy((y - y.mean()) / y.std())


@pytest.mark.parametrize("whitens", [False, True])
@pytest.mark.parametrize("components", [2, 6])
def test_a_ridge_regression_of_components_is_that_of_its_normal_equations(components: int, whitens: bool) -> None:
    x, y = _data()
    (solved,) = solve_ridge([Regression(x, y, [0.3], components=components, whitens=whitens)])
    standard = ((x - x.mean(0)) / x.std(0, unbiased=False)).numpy()
    _, lengths, directions = np.linalg.svd(standard, full_matrices=False)
    rows = standard @ directions[:components].T
    if whitens:
        rows = rows / (lengths[:components] / np.sqrt(len(rows)))
    slopes = np.linalg.solve(rows.T @ rows / len(rows) + 0.3 * np.eye(components), rows.T @ y.numpy() / len(rows))
    assert_same_in_fp64(solved[0](x).squeeze(1), torch.from_numpy(rows @ slopes))


def test_all_components_are_the_features_themselves_and_few_are_not() -> None:
    x, y = _data()
    problems = [Regression(x, (y > 0).long(), [0.1], components=count) for count in (None, 6, 99, 1)]
    plain, every, more, one = (maps[0](x) for maps in solve_logistic(problems, 2))
    assert torch.equal(plain, every)
    assert torch.equal(plain, more)
    assert not torch.allclose(plain, one, atol=0.1)


def test_it_is_off_by_default_and_of_one_stage() -> None:
    assert LinearProbe().projection == "none"
    assert "of one stage" in (LinearProbe(projection="pca", layers="mix").supports(ToyBackbone(), ToyTask()) or "")
