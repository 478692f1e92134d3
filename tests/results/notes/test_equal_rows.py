"""Which rows tie with the best, and the cheapest of them."""

from __future__ import annotations

import pytest

from tlbench.results.notes.equal_rows import cheapest, equal_rows
from tlbench.results.significance.practical import Posterior, differs_alone


def row(cell, rank=1, p_best=None, total_seconds=1.0, parameters=10):
    return {
        "cell": cell, "rank": rank, "p_best": p_best, "total_seconds": total_seconds, "parameters": parameters,
    }  # fmt: skip


def test_a_row_at_rank_1_that_a_test_of_the_two_alone_tells_apart_does_not_tie():
    rows = [row("best"), row("tied", p_best=0.3), row("majority", p_best=0.01), row("worse", rank=4, p_best=0.2)]
    assert [one["cell"] for one in equal_rows(rows)] == ["best", "tied"]


def test_without_ranks_nothing_ties():
    assert equal_rows([row("a", rank=None), row("b", rank=None)]) == []


def test_the_cheapest_has_the_least_work_then_the_fewest_parameters_and_unknown_work_is_the_dearest():
    rows = [row("a", total_seconds=None), row("b", total_seconds=2.0), row("c", total_seconds=2.0, parameters=3)]
    assert cheapest(rows)["cell"] == "c"


def test_a_difference_is_tested_against_students_t():
    p = differs_alone([Posterior(-0.3, 0.1, 10.0), Posterior(0.0, 0.0, 5.0), Posterior(0.1, 0.0, 5.0)])
    # Two-sided p of t = -3 with 10 degrees of freedom, from a table.
    assert p.tolist() == pytest.approx([0.0133437, 1.0, 0.0], abs=1e-6)
