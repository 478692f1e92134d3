"""Ticks enclose the values."""

import pytest

from tlbench.results.render.charts.chart_axes import log_ticks, round_ticks


@pytest.mark.parametrize("values", [(0.5, 0.5), (1, 1000), (3, 7), (1e-4, 2e6), (1000, 1000.0000001), (99, 101)])
def test_ticks_enclose_the_values_and_none_is_needless(values):
    for ticks in (round_ticks(values), log_ticks(values)):
        assert ticks == sorted(set(ticks))
        assert len(ticks) >= 2
        assert ticks[0] <= min(values) * (1 + 1e-6)
        assert ticks[-1] >= max(values) * (1 - 1e-6)
    ticks = log_ticks(values)
    assert len(ticks) == 2 or ticks[1] > min(values) * (1 - 1e-6)
    assert len(ticks) == 2 or ticks[-2] < max(values) * (1 + 1e-6)
