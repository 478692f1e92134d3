"""Gains over the best floor, and their intervals."""

import numpy as np
import pytest

from tests.results.ranked_table import ranked_table
from tlbench.results.columns import rows_of
from tlbench.results.floors import FLOORS, is_floor
from tlbench.results.leaderboard import frame
from tlbench.results.records.stored_predictions import predictions_in
from tlbench.results.stats import paired_difference

SEEDS = (0, 1, 2)


def cells_of(made, shares, seeds=SEEDS):
    """Returns cells and predictions, by (strategy, backbone) with an accuracy each."""
    return [
        (made.cell(strategy=name, backbone=backbone, seeds=seeds), made.answers(accuracy=share, seeds=seeds, draw=i))
        for i, ((name, backbone), share) in enumerate(shares.items())
    ]


def rows_by_name(table):
    return {(row["strategy"], row["backbone"]): row for row in table.rows()}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("majority", True),
        ("random-probe[seed=1]", True),
        ("finetune/from-scratch[epochs=3]", True),
        ("word-majority", True),
        ("linear-probe", False),
        ("not-majority", False),
    ],
)
def test_floors_are_known_by_name(name, known):
    assert is_floor(name) is known


@pytest.mark.parametrize(("scratch", "over"), [(0.4, "majority"), (0.7, "from-scratch")])
def test_the_best_floor_counts_so_that_one_that_did_not_learn_does_not(made, scratch, over):
    shares = {("linear-probe", "a"): 0.8, ("from-scratch", "a"): scratch, ("majority", None): 0.55}
    rows = rows_by_name(ranked_table(made, cells_of(made, shares)))
    probe, floor = rows["linear-probe", "a"], rows[over, "a" if over == "from-scratch" else ""]
    assert probe["gain_over"] == over
    assert probe["gain"] == pytest.approx(100 * (probe["value"] - floor["value"]))
    assert probe["gain_low"] < probe["gain"] < probe["gain_high"]
    assert [rows[name]["gain"] for name in (("from-scratch", "a"), ("majority", ""))] == [None, None]


def test_a_floor_with_a_backbone_is_one_for_this_backbone_alone(made):
    shares = {("linear-probe", "a"): 0.8, ("linear-probe", "b"): 0.8, ("random-probe", "b"): 0.7}
    rows = rows_by_name(ranked_table(made, cells_of(made, shares)))
    assert rows["linear-probe", "a"]["gain"] is None
    assert rows["linear-probe", "b"]["gain_over"] == "random-probe"


def test_the_interval_of_one_seed_is_that_of_a_paired_bootstrap_over_examples(made):
    cells = cells_of(made, {("linear-probe", "a"): 0.8, ("majority", None): 0.55}, seeds=(0,))
    row = rows_by_name(ranked_table(made, cells))["linear-probe", "a"]
    a, b = (predictions_in({name: column.to_numpy() for name, column in p.items()}) for _, p in cells)
    expected = paired_difference("accuracy", a, b)
    assert row["gain_interval_of"] == "one fit"
    assert [row["gain_low"], row["gain_high"]] == pytest.approx([100 * expected.low, 100 * expected.high], abs=0.5)


def test_more_seeds_give_an_interval_of_the_strategy(made):
    shares = {("linear-probe", "a"): 0.8, ("majority", None): 0.55}
    rows = [
        rows_by_name(ranked_table(made, cells_of(made, shares, tuple(range(n)))))["linear-probe", "a"]
        for n in (2, 3, 9)
    ]
    assert [row["gain_interval_of"] for row in rows] == ["strategy"] * 3
    widths = [row["gain_high"] - row["gain_low"] for row in rows]
    assert np.all(np.diff(widths) < 0)


def test_without_predictions_a_gain_has_no_interval(made):
    cells = cells_of(made, {("linear-probe", "a"): 0.8, ("majority", None): 0.55})
    row = {r["strategy"]: r for r in rows_of(frame([made.record(*one) for one in cells]))}["linear-probe"]
    assert row["gain"] > 0
    assert (row["gain_low"], row["gain_high"], row["gain_interval_of"]) == (None, None, "")


def test_the_names_are_those_of_all_installed_strategies_that_know_nothing():
    from tlbench.catalog.catalog import Catalog

    entries = Catalog.discover().entries("strategy")
    assert {entry.item.name for entry in entries if entry.item.knows_nothing} >= set(FLOORS)
    assert all(is_floor(entry.item.name) for entry in entries if entry.item.knows_nothing)
