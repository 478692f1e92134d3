"""Ranks of the cells of one task."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.metrics import METRICS
from tlbench.results.significance.ranks import RankEntry, ranks
from tlbench.results.stats import CellPredictions, mean_score

ACCURACY = METRICS["accuracy"]
TARGETS = np.random.default_rng(0).integers(0, 2, 400)
IDS = tuple(map(str, range(400)))


def predicting(share, seeds=(0, 1, 2), draw=0, ids=IDS):
    """Returns predictions with about this accuracy; the same examples are hard for every draw."""
    hardness = np.random.default_rng(1).random(len(TARGETS))
    rows = []
    for seed in seeds:
        wobble = np.random.default_rng([draw, seed]).normal(size=len(TARGETS)) * 0.1
        rows.append(np.where(hardness + wobble < share, TARGETS, 1 - TARGETS))
    return CellPredictions(ids, TARGETS, np.array(rows), tuple(seeds))


def entry(predictions):
    value = mean_score("accuracy", predictions)
    return RankEntry(value, value - 0.03, value + 0.03, len(predictions.seeds), predictions)


def places(results):
    return [(rank.place, rank.last) for rank in results]


def test_a_rank_counts_the_entries_that_are_better():
    entries = [entry(predicting(share, draw=draw)) for draw, share in enumerate((0.5, 0.9, 0.75, 0.895, 0.745))]
    results = ranks(ACCURACY, entries)
    assert places(results) == [(5, 5), (1, 2), (3, 4), (1, 2), (3, 4)]
    assert all(rank.is_tested for rank in results)


def test_the_middle_of_a_chain_shares_ranks_with_both_ends():
    """Neighbours cannot be told apart, and the ends can: the middle shares ranks with both."""
    values = [0.9, 0.87, 0.84, 0.81]
    results = ranks(ACCURACY, [RankEntry(v, v - 0.02, v + 0.02, 3) for v in values])
    assert places(results) == [(1, 2), (1, 3), (2, 4), (3, 4)]


def test_one_seed_has_no_rank_and_changes_no_other():
    entries = [entry(predicting(0.9)), entry(predicting(0.6, draw=1))]
    alone = entry(predicting(0.99, (0,), draw=2))
    assert places(ranks(ACCURACY, [*entries, alone])) == [(1, 1), (2, 2), (None, None)]
    assert places(ranks(ACCURACY, [alone])) == [(None, None)]


def test_the_interval_is_of_the_strategy_from_three_seeds_on():
    three, two = (ranks(ACCURACY, [entry(predicting(0.9, seeds))])[0] for seeds in ((0, 1, 2), (0, 1)))
    assert two.interval is None
    low, high = three.interval
    assert low < mean_score("accuracy", predicting(0.9)) < high


def test_other_examples_are_compared_by_intervals():
    other = entry(predicting(0.9, ids=tuple(f"x{i}" for i in range(400))))
    results = ranks(ACCURACY, [entry(predicting(0.9)), other])
    assert places(results) == [(1, 2), (1, 2)]
    assert not any(rank.is_tested for rank in results)


def test_the_direction_of_the_metric_counts():
    entries = [RankEntry(0.1, 0.05, 0.15, 3), RankEntry(0.5, 0.45, 0.55, 3)]
    assert places(ranks(METRICS["mae"], entries)) == [(1, 1), (2, 2)]
    assert places(ranks(ACCURACY, entries)) == [(2, 2), (1, 1)]


@pytest.mark.parametrize("differ", [1, 3, 5])
def test_of_few_examples_no_more_is_claimed_than_a_sign_test_could(differ):
    n = 8
    targets, ids = np.ones(n, dtype=int), tuple(map(str, range(n)))
    right = CellPredictions(ids, targets, np.ones((3, n), dtype=int), (0, 1, 2))
    wrong = CellPredictions(ids, targets, np.tile(np.arange(n) >= differ, (3, 1)).astype(int), (0, 1, 2))
    assert places(ranks(ACCURACY, [entry(right), entry(wrong)])) == [(1, 2), (1, 2)]


def test_groups_count_once():
    """Copies of an example in one group say no more than the example."""
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 2, 40)
    hardness = generator.random(40)
    rows = [np.tile(np.where(hardness < share, targets, 1 - targets), (3, 1)) for share in (0.9, 0.85)]
    ids, groups = tuple(map(str, range(400))), np.repeat(np.arange(40), 10)

    def copied(groups):
        targets_ = np.repeat(targets, 10)
        return [
            entry(CellPredictions(ids, targets_, np.repeat(row, 10, axis=1), (0, 1, 2), groups=groups)) for row in rows
        ]

    assert places(ranks(ACCURACY, copied(None))) == [(1, 1), (2, 2)]
    assert places(ranks(ACCURACY, copied(groups))) == [(1, 2), (1, 2)]


@pytest.mark.parametrize("seeds", [(0, 1, 2), (0,)])
def test_groups_of_one_record_count_for_all(seeds):
    """Also those of a record whose one seed gives it no rank."""
    generator = np.random.default_rng(0)
    targets = generator.integers(0, 2, 40)
    hardness = generator.random(40)
    groups = np.repeat(np.arange(40), 10)
    ids = tuple(map(str, range(400)))

    def made(share, seeds, groups):
        row = np.repeat(np.where(hardness < share, targets, 1 - targets), 10)
        return entry(CellPredictions(ids, np.repeat(targets, 10), np.tile(row, (len(seeds), 1)), seeds, groups=groups))

    older = [made(share, (0, 1, 2), None) for share in (0.9, 0.85)]
    newer = [made(share, (0, 1, 2), groups) for share in (0.9, 0.85)]
    extra = made(0.5, seeds, groups)
    assert ranks(ACCURACY, [*older, extra]) == ranks(ACCURACY, [*newer, extra])
    assert ranks(ACCURACY, older) != ranks(ACCURACY, newer)


def test_nothing_and_one_are_ranked():
    assert ranks(ACCURACY, []) == []
    assert places(ranks(ACCURACY, [entry(predicting(0.9))])) == [(1, 1)]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 0.2)), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_ranks_by_intervals_are_counts_of_what_is_better_and_worse(values):
    entries = [RankEntry(v, v - w, v + w, 3) for v, w in values]
    results = ranks(ACCURACY, entries)
    for one, rank in zip(entries, results, strict=True):
        assert rank.place == 1 + sum(other.low > one.high for other in entries)
        assert rank.last == len(entries) - sum(other.high < one.low for other in entries)
        assert rank.place <= rank.last


@pytest.mark.parametrize("count", [3, 66])
def test_too_few_groups_show_no_difference_in_any_number_of_rows(count):
    generator = np.random.default_rng(0)
    targets, groups = np.ones(100, dtype=int), np.repeat(np.arange(5), 20)
    entries = []
    for i in range(count):
        values = (generator.random((3, 100)) < (0.95 if i % 2 else 0.5)).astype(int)
        entries.append(entry(CellPredictions(tuple(map(str, range(100))), targets, values, (0, 1, 2), groups=groups)))
    results = ranks(ACCURACY, entries)
    assert places(results) == [(1, count)] * count
    # No difference is large enough, so none is the smallest one that the tests find.
    assert {rank.detectable for rank in results} == {None}
