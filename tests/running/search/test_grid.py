"""An even grid of settings."""

import pytest

from tlbench import Choice, Float, Int
from tlbench.running.search.grid import grid


def test_the_grid_is_even_and_no_larger_than_asked():
    assert [s["lr"] for s in grid({"lr": Float(1e-4, 1.0, log=True)}, 5)] == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1])
    both = grid({"lr": Float(0, 1), "kind": Choice(("a", "b"))}, 9)
    assert len(both) == 8
    assert {s["kind"] for s in both} == {"a", "b"}
    assert len(grid({"n": Int(1, 3)}, 50)) == 3
    assert len(grid({"kind": Choice(("a", "b", "c"))}, 2)) == 2


def test_a_grid_that_is_too_large_is_spread_over_all_choices():
    settings = grid({"a": Choice((1, 2, 3, 4)), "b": Choice((1, 2, 3, 4))}, 8)
    assert {s["a"] for s in settings} == {1, 2, 3, 4}
