"""The number of examples that a reference needs for the score of another strategy."""

from __future__ import annotations

import math

import pytest

from tlbench.results.label_efficiency.curves import LearningCurve, SizedScore, TaskCurves
from tlbench.results.label_efficiency.labels_saved import EqualScore, Needed, equal_score, first_reached, labels_saved


def scores(*values: float, half: float = 0.03, sizes: tuple[int, ...] = (10, 100, 1000)) -> tuple[SizedScore, ...]:
    return tuple(SizedScore(size, value, value - half, value + half) for size, value in zip(sizes, values, strict=True))


def task(*curves: LearningCurve, greater_is_better: bool = True) -> TaskCurves:
    return TaskCurves("trec", "accuracy", greater_is_better, True, curves)


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        ((-0.2, -0.1, 0.1), Needed(10 * 10**1.5)),
        ((-0.1, 0.3, 0.4), Needed(10 * 10**0.25)),
        ((-0.1, 0.0, 0.4), Needed(100)),
        ((0.0, 0.1, 0.2), Needed(10, -1)),
        ((-0.3, -0.2, -0.1), Needed(1000, 1)),
        # The first size at which the score is reached counts, even if more examples give less again.
        ((-0.1, 0.1, -0.1), Needed(10 * 10**0.5)),
    ],
)
def test_the_number_is_read_off_between_measured_sizes_and_never_beyond(
    ahead: tuple[float, ...], expected: Needed
) -> None:
    found = first_reached((10, 100, 1000), ahead)
    assert found.beyond == expected.beyond
    assert found.examples == pytest.approx(expected.examples, rel=1e-12)


def test_the_range_has_the_numbers_at_which_the_noise_leaves_the_scores_equal() -> None:
    # Both intervals reach 0.03 and 0.04 to each side, so scores 0.05 apart are at the end of the range.
    (point,) = scores(0.6, half=0.04, sizes=(10,))
    found = equal_score(point, scores(0.5, 0.6, 0.7), sign=1)
    assert found.needed.examples == pytest.approx(100)
    assert found.low.examples == pytest.approx(10 * 10**0.5)
    assert found.high.examples == pytest.approx(100 * 10**0.5)
    assert found.is_told_apart
    # Below the reference's first score, whose noise reaches it.
    (point,) = scores(0.48, half=0.04, sizes=(10,))
    found = equal_score(point, scores(0.5, 0.6, 0.7), sign=1)
    assert (found.needed.beyond, found.low.beyond) == (-1, -1)
    assert found.high.examples == pytest.approx(10 * 10**0.3)
    assert not found.is_told_apart


def test_of_an_error_the_better_side_is_the_lower_one() -> None:
    point = SizedScore(10, 0.4, 0.39, 0.45)
    reference = [SizedScore(size, value, value - 0.02, value + 0.01) for size, value in ((10, 0.6), (1000, 0.2))]
    found = equal_score(point, reference, sign=-1)
    assert found.needed.examples == pytest.approx(100)
    # 0.05 is how much worse the point may be, and 0.02 how much better the reference; then the other way round.
    assert found.low.examples == pytest.approx(10 * 100 ** ((0.2 - math.hypot(0.05, 0.02)) / 0.4))
    assert found.high.examples == pytest.approx(10 * 100 ** ((0.2 + math.hypot(0.01, 0.01)) / 0.4))


@pytest.mark.parametrize(
    ("examples", "low", "high", "expected"),
    [
        (50, Needed(60), Needed(90), True),
        (70, Needed(60), Needed(90), False),
        (99, Needed(60), Needed(90), True),
        (1000, Needed(1000, 1), Needed(1000, 1), True),
        (1000, Needed(600), Needed(1000, 1), False),
        (10, Needed(10, -1), Needed(10, -1), True),
        (10, Needed(10, -1), Needed(60), False),
        # Outside what was measured, nothing is known.
        (5, Needed(10, -1), Needed(60), False),
        (5000, Needed(600), Needed(1000, 1), False),
        (5000, Needed(1000, 1), Needed(1000, 1), False),
        (5, Needed(10, -1), Needed(10, -1), False),
    ],
)
def test_a_number_outside_the_range_is_told_apart(examples: int, low: Needed, high: Needed, expected: bool) -> None:
    assert EqualScore(examples, Needed(70), low, high).is_told_apart is expected


def test_the_reference_is_the_best_without_pretrained_weights_that_improves() -> None:
    tuned = LearningCurve("b", "full", "", scores(0.6, 0.7, 0.8))
    others = (
        LearningCurve("", "majority", "", scores(0.7, 0.7, 0.7)),
        LearningCurve("", "tfidf", "", scores(0.3, 0.4, 0.6)),
        LearningCurve("b", "from-scratch", "", scores(0.3, 0.4, 0.5)),
        LearningCurve("other", "from-scratch", "", scores(0.4, 0.5, 0.9)),
    )
    (saved,) = labels_saved(task(tuned, *others))
    assert (saved.curve, saved.reference.strategy) == (tuned, "tfidf")
    assert [one.examples for one in saved.scores] == [10, 100, 1000]
    (saved,) = labels_saved(task(tuned, others[2], others[3]))
    assert (saved.reference.strategy, saved.reference.backbone) == ("from-scratch", "b")
    assert labels_saved(task(tuned, others[0])) == []


def test_nothing_is_said_without_intervals_over_seeds() -> None:
    tuned = LearningCurve("b", "full", "", scores(0.6, 0.7, 0.8))
    alone = tuple(one._replace(low=None, high=None) for one in scores(0.3, 0.4, 0.6))
    (saved,) = labels_saved(task(tuned, LearningCurve("", "tfidf", "", alone)))
    assert saved.scores == ()
