"""Tasks with a source and a target domain."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from tlbench_data.tasks.amazon import AmazonReviews
from tlbench_domain.digit_domains import DigitDomains, InvertedDigits, NoisyDigits

from tlbench import Examples
from tlbench.testing.conformance import TaskConformance

SIZES = {"train": 719, "validation": 180, "unlabeled": 449, "test": 449}
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


@pytest.mark.parametrize(("source", "target"), [*permutations(DOMAINS, 2)])
def test_every_ordered_pair_of_amazons_domains_is_a_task(source: str, target: str) -> None:
    task = AmazonReviews(src=source, tgt=target)
    assert task.unlabeled_like == "test"
    if task.missing():
        pytest.skip("no Amazon reviews below TLBENCH_DATA")
    splits = {name: task.split(name) for name in ("train", "unlabeled", "test")}
    assert all(one.id.startswith(source) for one in splits["train"] or ())
    assert all(one.target is None and one.id.startswith(target) for one in splits["unlabeled"] or ())
    assert not {one.inputs for one in splits["unlabeled"] or ()} & {one.inputs for one in splits["test"] or ()}
