"""Limits of what a result may cost."""

import pytest

from tlbench.results.recommendation.costs import COSTS, CostLimits, cost_text, memory_of

KNOWN = dict.fromkeys(COSTS) | {
    "total_seconds": 170.0, "fit_seconds": 26.2, "host_own_bytes": 480_000_000, "host_peak_bytes": 812_000_000,
    "parameters": 22_713_986, "trainable_parameters": 770,
}  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "admits"),
    [
        (CostLimits(), True),
        (CostLimits(480_000_000, 170.0, 22_713_986), True),
        (CostLimits(memory_bytes=479_999_999), False),
        (CostLimits(seconds=169.0), False),
        (CostLimits(parameters=22_000_000), False),
    ],
)
def test_limits_hold_for_each_cost(limits, admits):
    assert limits.admits(KNOWN) is admits


def test_an_unknown_cost_is_within_no_limit():
    assert not CostLimits(memory_bytes=10**12).admits(dict.fromkeys(COSTS))
    assert CostLimits().admits(dict.fromkeys(COSTS))


def test_memory_is_that_of_the_gpu_where_there_is_one_and_else_the_cells_own():
    assert memory_of(KNOWN) == 480_000_000
    assert memory_of(KNOWN | {"device_allocated_bytes": 5}) == 5
    assert memory_of(KNOWN | {"host_own_bytes": None}) == 812_000_000


def test_costs_and_limits_are_told_in_a_line():
    assert cost_text(KNOWN) == "2m50 in all, 26s a fit, 480 MB, 770 of 22.7M parameters tuned"
    assert CostLimits(2_000_000_000, 600).text() == "at most 2.0 GB and 10m00"
    assert CostLimits().text() == ""
