"""Groups of test examples that are not independent."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.metrics import METRICS
from tlbench.metrics.groups import group_numbers, joined_groups
from tlbench.metrics.resampling import bootstrap
from tlbench.metrics.scored import Scored


def test_groups_are_numbered_in_order_and_examples_without_one_stand_alone():
    assert group_numbers(["b", "", "a", "b", ""]).tolist() == [0, 1, 2, 0, 3]
    assert group_numbers(["", ""]) is None
    assert group_numbers([]) is None


@pytest.mark.parametrize("name", ["accuracy", "f1", "matthews"])
def test_the_interval_of_repeated_examples_is_that_of_one_of_each(name):
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 2, 60)
    values = np.where(generator.random(60) < 0.8, targets, 1 - targets)
    repeated = Scored(np.repeat(targets, 9), np.repeat(values, 9))
    low, high = bootstrap(METRICS[name], repeated, resamples=4000, groups=np.repeat(np.arange(60), 9))
    single = bootstrap(METRICS[name], Scored(targets, values), resamples=4000)
    assert high - low == pytest.approx(single[1] - single[0], rel=0.1)
    alone = bootstrap(METRICS[name], repeated, resamples=4000)
    assert alone[1] - alone[0] < 0.5 * (high - low)


@pytest.mark.parametrize(
    ("partitions", "expected"),
    [
        ([None, None], None),
        ([None, [0, 0, 1]], [0, 0, 1]),
        ([[0, 0, 1], None, [0, 0, 1]], [0, 0, 1]),
        ([[0, 0, 1, 2, 3], [0, 1, 1, 2, 3]], [0, 0, 0, 1, 2]),
        ([[0, 1, 2, 2], [0, 1, 1, 2], [0, 0, 1, 2]], [0, 0, 0, 0]),
    ],
)
def test_joined_groups_divide_no_group(partitions, expected):
    found = joined_groups([None if one is None else np.array(one) for one in partitions])
    assert (found if found is None else found.tolist()) == expected
