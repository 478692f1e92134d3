"""The threshold has the best F1 of all, as scikit-learn computes it."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tlbench.metrics.scored import Scored
from tlbench.results.post_hoc.thresholds import at_threshold, best_threshold, has_threshold


def labels(n=60, k=3, seed=0):
    rng = np.random.default_rng(seed)
    targets = (rng.random((n, k)) < 0.3).astype(np.int64)
    scores = np.clip(rng.normal(0.2, 0.15, (n, k)) + 0.2 * targets, 0, 1)
    return Scored(targets, (scores > 0.5).astype(np.int64), scores)


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
def test_of_labels_no_other_threshold_is_better(average):
    scored = labels()
    threshold = best_threshold(scored, f"f1_{average}")
    found = f1_score(scored.targets, at_threshold(scored, threshold).values, average=average, zero_division=0)
    every = [
        f1_score(scored.targets, (scored.scores >= one).astype(int), average=average, zero_division=0)
        for one in np.unique(scored.scores)
    ]
    assert found == pytest.approx(max(every))


@pytest.mark.parametrize("positive", [0, 1])
def test_of_two_classes_no_other_threshold_is_better(two_classes, positive):
    from sklearn.metrics import precision_recall_curve

    one = labels(k=1)
    base = two_classes(one.targets[:, 0], one.scores[:, 0])
    scored = Scored(base.targets, base.values, base.scores, positive)
    precision, recall, _ = precision_recall_curve(scored.targets == positive, scored.scores[:, positive])
    with np.errstate(invalid="ignore"):
        best = np.nanmax(2 * precision * recall / (precision + recall))
    chosen = at_threshold(scored, best_threshold(scored, "f1"))
    assert f1_score(scored.targets, chosen.values, pos_label=positive) == pytest.approx(best)
    assert best > f1_score(scored.targets, scored.values, pos_label=positive), "0.5 is not the best here"


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken(two_classes):
    assert best_threshold(two_classes([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9]), "f1") == pytest.approx(0.45)
    assert best_threshold(two_classes([1, 1], [0.2, 0.9]), "f1") == pytest.approx(0.2), "all are positive"


def test_many_probabilities_are_tried_at_quantiles(two_classes):
    rng = np.random.default_rng(0)
    positive = rng.random(9000)
    targets = (rng.random(9000) < positive).astype(int)
    chosen = at_threshold(two_classes(targets, positive), best_threshold(two_classes(targets, positive), "f1"))
    every = [f1_score(targets, positive >= one) for one in np.linspace(0, 1, 101)]
    assert f1_score(targets, chosen.values) > max(every) - 0.002


def test_what_has_no_threshold(two_classes):
    three = Scored(np.array([0, 2]), np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]))
    pair = two_classes([0, 1], [0.2, 0.9])
    assert not has_threshold(three, "f1")
    assert not has_threshold(pair, "f1_macro")
    assert not has_threshold(pair, "")
    assert not has_threshold(Scored(pair.targets, pair.values), "f1")
    assert has_threshold(pair, "f1")
    assert has_threshold(labels(), "f1_micro")
