"""Draws keep their promises: equal rows in one part, every class in train, shares within strata."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.data.drawing import draw

SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


@st.composite
def tables(draw_value):
    """Rows with few keys and classes, so that keys repeat and have several classes."""
    count = draw_value(st.integers(1, 60))
    keys = draw_value(st.lists(st.integers(0, 40), min_size=count, max_size=count))
    classes = draw_value(st.lists(st.sampled_from("abcd"), min_size=count, max_size=count))
    return keys, classes


@settings(max_examples=150, deadline=None)
@given(tables(), st.integers(0, 3), st.booleans())
def test_a_draw_keeps_its_promises(table, seed, by_rows):
    keys, classes = table
    parts = draw(keys, classes, SHARES, seed, by_rows=by_rows, classes_of=lambda row: {classes[row]})
    assert list(parts) == list(SHARES)
    assert sorted(row for rows in parts.values() for row in rows) == list(range(len(keys)))
    assert all(rows == sorted(rows) for rows in parts.values())
    # Equal rows are in one part, and train has every class.
    homes = {(keys[row], name) for name, rows in parts.items() for row in rows}
    assert len(homes) == len(set(keys))
    assert {classes[row] for row in parts["train"]} == set(classes)
    assert parts == draw(keys, classes, SHARES, seed, by_rows=by_rows, classes_of=lambda row: {classes[row]})


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 400), st.integers(1, 5), st.integers(0, 3), st.booleans())
def test_shares_of_distinct_rows_are_met_in_every_stratum(count, strata, seed, by_rows):
    classes = [row % strata for row in range(count)]
    parts = draw(range(count), classes, SHARES, seed, by_rows=by_rows)
    for name, share in SHARES.items():
        per_class = Counter(classes[row] for row in parts[name])
        assert len(parts[name]) == pytest.approx(count * share, abs=1.01)
        assert all(per_class[each] == pytest.approx(classes.count(each) * share, abs=2) for each in set(classes))


@pytest.mark.parametrize("seed", range(5))
def test_a_key_of_many_rows_counts_by_its_rows(seed):
    # One text in 50 of 100 rows: counted as one of 51 keys it would be half of a part.
    keys = [0] * 50 + list(range(1, 51))
    parts = draw(keys, [0] * 100, {"train": 0.8, "validation": 0.2}, seed, by_rows=True)
    assert len(parts["validation"]) == 20
    assert 0 in parts["train"]


def test_a_part_that_no_unit_fits_gets_the_closest_one():
    keys = [row // 10 for row in range(30)]
    parts = draw(keys, [0] * 30, {"train": 0.9, "validation": 0.1}, 0, by_rows=True)
    assert len(parts["validation"]) == 10


def test_a_part_is_empty_rather_than_train_without_a_class():
    parts = draw([0, 1, 2], "abc", {"train": 0.5, "validation": 0.5}, 0, by_rows=True, classes_of=lambda row: {row})
    assert parts == {"train": [0, 1, 2], "validation": []}


def test_equal_rows_of_two_classes_take_no_class_out_of_train():
    # Class b occurs only in rows that begin with class a: their stratum alone would not keep it in train.
    keys = [key for key in range(20) for _ in range(2)]
    classes = ["a", "b"] + ["a", "a"] * 19
    for seed in range(20):
        parts = draw(keys, classes, SHARES, seed, classes_of=lambda row: {classes[row]})
        assert 1 in parts["train"]


def test_published_draws_stay_as_they_are():
    keys = [row % 17 for row in range(30)]
    parts = draw(keys, [row % 3 for row in range(30)], SHARES, seed=5)
    assert {name: parts[name] for name in ("validation", "test")} == {
        "validation": [3, 11, 20, 28],
        "test": [2, 12, 13, 19, 29],
    }


def test_strata_that_have_rows_to_spare_make_up_for_those_that_have_none():
    # Half of the rows are of classes with one row, which come last and stay in train.
    classes = ["a"] * 50 + [f"z{number}" for number in range(50)]
    parts = draw(range(100), classes, {"train": 0.8, "validation": 0.2}, 0, by_rows=True)
    assert len(parts["validation"]) == 20
    assert {classes[row] for row in parts["train"]} == set(classes)
