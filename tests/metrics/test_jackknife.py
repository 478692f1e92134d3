"""Jackknife values of examples."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.metrics import METRICS
from tlbench.metrics.jackknife import jackknife_values
from tlbench.metrics.resampling import bootstrap, score
from tlbench.metrics.scored import Scored


def scored(n=300, draw=0):
    generator = np.random.default_rng(draw)
    targets = generator.integers(0, 2, n)
    return Scored(targets, np.where(generator.random(n) < 0.8, targets, 1 - targets))


def numbers(n=300, draw=0):
    generator = np.random.default_rng(draw)
    targets = generator.normal(size=n)
    return Scored(targets, targets + generator.normal(size=n))


def test_values_of_a_mean_are_what_is_averaged():
    one = scored()
    assert jackknife_values(METRICS["accuracy"], one) == pytest.approx((one.targets == one.values).astype(float))


CASES = [(name, scored()) for name in ("f1", "f1_macro", "matthews", "balanced_accuracy")]
CASES += [(name, numbers()) for name in ("pearson", "spearman", "rmse", "r2")]


@pytest.mark.parametrize(("name", "one"), CASES, ids=[name for name, _ in CASES])
def test_mean_and_spread_agree_with_the_score_and_its_bootstrap(name, one):
    metric = METRICS[name]
    values = jackknife_values(metric, one)
    assert values.mean() == pytest.approx(score(metric, one))
    low, high = bootstrap(metric, one, resamples=4000)
    assert values.std(ddof=1) / np.sqrt(len(values)) == pytest.approx((high - low) / 3.92, rel=0.12)


def test_groups_are_left_out_whole():
    one = scored()
    groups = np.arange(300) // 10
    values = jackknife_values(METRICS["accuracy"], one, groups)
    hits = (one.targets == one.values).reshape(30, 10).mean(axis=1)
    assert values == pytest.approx(hits)


def test_repeated_examples_in_groups_are_as_uncertain_as_one_of_each():
    base = scored(50)
    repeated = Scored(np.repeat(base.targets, 6), np.repeat(base.values, 6))
    for name in ("accuracy", "f1"):
        single = jackknife_values(METRICS[name], base)
        grouped = jackknife_values(METRICS[name], repeated, np.repeat(np.arange(50), 6))
        assert grouped.std() == pytest.approx(single.std(), rel=1e-6)
