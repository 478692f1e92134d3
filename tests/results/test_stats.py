"""The difference between two cells on one test split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Scored
from tlbench.results.stats import CellPredictions, holm, mean_score, paired_difference

TARGETS = np.random.default_rng(0).integers(0, 2, 400)
IDS = tuple(map(str, range(400)))


def predicting(share, seeds=(0,), draw=0, noise=0.1, targets=TARGETS, ids=IDS):
    """Returns predictions with about this accuracy; the same examples are hard for every draw."""
    hardness = np.random.default_rng(1).random(len(targets))
    rows = []
    for seed in seeds:
        wobble = np.random.default_rng([draw, seed]).normal(size=len(targets)) * noise
        rows.append(np.where(hardness + wobble < share, targets, 1 - targets))
    return CellPredictions(ids, targets, np.array(rows), tuple(seeds))


@pytest.mark.parametrize("metric", ["accuracy", "f1", "f1_macro", "matthews", "pearson", "spearman"])
def test_a_real_difference_is_found_and_no_difference_is_not(metric):
    good, same, bad = predicting(0.9, (0, 1)), predicting(0.9, (0, 1), draw=1), predicting(0.8, (0, 1), draw=2)
    found = paired_difference(metric, good, bad)
    assert found.p < 0.01
    assert 0 < found.low < found.value < found.high
    assert (found.n, found.seeds) == (400, (2, 2))
    assert paired_difference(metric, good, same).p > 0.05


def test_a_small_difference_on_the_same_examples_is_found():
    a = predicting(0.90, noise=0.005)
    b = predicting(0.86, noise=0.005)
    assert paired_difference("accuracy", a, b).p < 0.05


def test_a_difference_is_antisymmetric_and_repeats():
    a, b = predicting(0.9, (0, 1, 2)), predicting(0.85, (0, 1, 2), draw=1)
    there, back = paired_difference("matthews", a, b), paired_difference("matthews", b, a)
    assert there == paired_difference("matthews", a, b)
    assert there.value == -back.value
    assert there.p == back.p
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_equal_predictions_never_differ():
    a = predicting(0.9)
    found = paired_difference("accuracy", a, a)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


@pytest.mark.parametrize(("n", "differ"), [(10, 4), (2, 2), (1, 1)])
def test_of_few_examples_no_more_is_claimed_than_a_sign_test_could(n, differ):
    targets, ids = np.ones(n, dtype=int), tuple(map(str, range(n)))
    right = CellPredictions(ids, targets, np.ones((1, n), dtype=int), (0,))
    wrong = CellPredictions(ids, targets, (np.arange(n) >= differ).astype(int)[None], (0,))
    assert paired_difference("accuracy", right, wrong).p >= 2.0 ** (1 - differ)
    two = CellPredictions(ids, targets, np.concatenate([right.values, wrong.values]), (0, 1))
    assert paired_difference("accuracy", two, wrong).p >= 2.0 ** (1 - differ)


def test_predictions_that_differ_are_counted_for_texts_labels_and_probabilities():
    texts = np.array(["a", "b", "c", "d"], dtype=object)
    ids = tuple("wxyz")
    texts_of = [
        CellPredictions(ids, texts, np.array([values], dtype=object), (0,)) for values in (list("abcd"), list("abxx"))
    ]
    assert paired_difference("exact_match", *texts_of).p >= 0.5
    labels = np.ones((4, 3), dtype=int)
    off = labels.copy()
    off[0, 0] = off[0, 1] = off[2, 2] = 0
    tagged = [CellPredictions(ids, labels, values[None], (0,)) for values in (labels, off)]
    assert paired_difference("f1_micro", *tagged).p >= 0.5
    sure = np.tile([0.1, 0.9], (1, 12, 1))
    ones = np.ones(12, dtype=int)
    probabilities = [
        CellPredictions(tuple(map(str, range(12))), ones, ones[None], (0,), scores)
        for scores in (sure, sure[..., ::-1])
    ]
    assert paired_difference("log_loss", *probabilities).p < 0.01, (
        "the classes are the same and the probabilities are not"
    )


def test_a_constant_answer_is_compared_without_nan():
    constant = CellPredictions(IDS, TARGETS, np.zeros((1, 400), dtype=int), (0,))
    found = paired_difference("matthews", predicting(0.9), constant)
    assert found.p < 0.01
    assert np.isfinite([found.value, found.low, found.high]).all()


def test_the_spread_over_seeds_counts():
    """With ten points between seeds, two seeds each cannot show a difference of five points; one seed each seems to."""
    a = CellPredictions(IDS, TARGETS, np.vstack([predicting(x, (0,), draw=1).values for x in (0.95, 0.85)]), (0, 1))
    b = CellPredictions(IDS, TARGETS, np.vstack([predicting(x, (0,), draw=2).values for x in (0.80, 0.90)]), (2, 3))
    assert paired_difference("accuracy", a, b).p > 0.05
    alone = [CellPredictions(IDS, TARGETS, x.values[:1], (0,)) for x in (a, b)]
    assert paired_difference("accuracy", *alone).p < 0.01


def test_a_true_null_is_rejected_as_rarely_as_alpha_says():
    rng = np.random.default_rng(5)
    rejected = 0
    for _ in range(300):
        targets = rng.integers(0, 2, 200)
        rows = [np.where(rng.random((1, 200)) < 0.8, targets, 1 - targets) for _ in range(2)]
        a, b = (CellPredictions(IDS[:200], targets, row, (0,)) for row in rows)
        rejected += paired_difference("accuracy", a, b, resamples=300).p < 0.05
    assert 0.02 <= rejected / 300 <= 0.09


def test_other_examples_are_not_compared_in_pairs():
    other = predicting(0.9, ids=tuple(f"x{i}" for i in range(400)))
    with pytest.raises(ValueError, match="same examples"):
        paired_difference("accuracy", predicting(0.9), other)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        CellPredictions(("a", "b"), np.array([0]), np.array([[0, 1]]), (0,))
    with pytest.raises(ValueError, match="do not fit"):
        CellPredictions((), np.array([]), np.zeros((1, 0)), (0,))


@given(st.lists(st.floats(0, 1), max_size=10))
def test_holm_only_raises_and_keeps_the_order(values):
    adjusted = holm(values)
    assert all(a >= p for a, p in zip(adjusted, values, strict=True))
    assert all(0 <= a <= 1 for a in adjusted)
    assert [a for _, a in sorted(zip(values, adjusted, strict=True))] == sorted(adjusted)


def test_holm_on_a_known_case():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_mean_score_is_the_mean_over_seeds():
    a = predicting(0.9, (0, 1, 2))
    each = [score("matthews", Scored(TARGETS, row)) for row in a.values]
    assert mean_score("matthews", a) == pytest.approx(np.mean(each))
