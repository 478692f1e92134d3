"""Tasks with a source and a target domain."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from tlbench_data.tasks.amazon import AmazonReviews
from tlbench_domain.digit_domains import DigitDomains, InvertedDigits, NoisyDigits
from tlbench_domain.plugin import tlbench_strategies

from tlbench import Examples
from tlbench.planning.suite import read_suite
from tlbench.testing.conformance import TaskConformance

SIZES = {"train": 719, "validation": 180, "unlabeled": 449, "test": 449}
SUITE = Path(__file__).parents[3] / "benchmarks" / "domains.toml"
DOMAINS = ("books", "dvd", "electronics", "kitchen")


class TestInvertedDigits(TaskConformance):
    task = InvertedDigits()
    sizes = SIZES


class TestNoisyDigits(TaskConformance):
    task = NoisyDigits()
    sizes = SIZES


def _pixels(examples: Examples | None) -> np.ndarray:
    assert examples is not None
    return np.stack([np.asarray(one.inputs[0], dtype=float) for one in examples])


@pytest.mark.parametrize("task", [InvertedDigits(), NoisyDigits()], ids=lambda task: task.name)
def test_unlabelled_and_test_are_of_the_target_and_train_and_validation_of_the_source(task: DigitDomains) -> None:
    means = {name: _pixels(task.split(name)).mean() for name in ("train", "validation", "unlabeled", "test")}
    deviations = {name: _pixels(task.split(name)).std(axis=0).min() for name in means}
    # Corners of the source are black in nearly all images; inversion makes them white, noise makes them vary.
    for name in ("unlabeled", "test"):
        assert abs(means[name] - means["train"]) > 8 * abs(means["validation"] - means["train"])
        if isinstance(task, NoisyDigits):
            assert deviations[name] > 20 > deviations["train"]


def test_no_digit_is_in_two_splits() -> None:
    ids = [one.id for name in SIZES for one in InvertedDigits().split(name) or ()]  # type: ignore[arg-type]
    assert len(ids) == len(set(ids)) == 1797


def test_a_pair_of_amazons_domains_keeps_the_target_unlabelled() -> None:
    task = AmazonReviews(src="dvd", tgt="kitchen")
    assert task.unlabeled_like == "test"
    if task.missing():
        pytest.skip("no Amazon reviews below TLBENCH_DATA")
    splits = {name: task.split(name) for name in ("train", "unlabeled", "test")}
    assert all(one.id.startswith("dvd") for one in splits["train"] or ())
    assert all(one.target is None and one.id.startswith("kitchen") for one in splits["unlabeled"] or ())
    assert not {one.inputs for one in splits["unlabeled"] or ()} & {one.inputs for one in splits["test"] or ()}


def test_the_suite_has_every_ordered_pair_with_and_without_a_backbone() -> None:
    suite = read_suite(SUITE)
    pairs = {f"amazon-mdsd[src={source},tgt={target}]" for source, target in permutations(DOMAINS, 2)}
    baselines, adapted, *_ = suite.cells
    assert set(baselines.tasks) == set(adapted.tasks) == pairs
    assert {"majority", "tfidf"} <= set(baselines.strategies)
    assert all(name.endswith("[stages=0]") for name in adapted.strategies)
    mine = {strategy.name for strategy in tlbench_strategies()}
    assert {name.partition("[")[0] for name in suite.cells[-1].strategies} == mine
