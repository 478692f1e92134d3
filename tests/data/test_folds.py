"""Folds are stratified, disjoint and reproducible, and keep rows with equal keys together."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.contracts.errors import DataError
from tlbench.data.folds import draw_folds


def test_folds_of_different_rows_are_stratified_to_one_row() -> None:
    strata = ["rare"] * 7 + ["common"] * 46
    folds = draw_folds(range(53), strata, 5)
    assert sorted(chain(*folds)) == list(range(53))
    assert sorted(map(len, folds)) == [10, 10, 11, 11, 11]
    for stratum, few in (("rare", 1), ("common", 9)):
        assert {Counter(strata[row] for row in fold)[stratum] for fold in folds} == {few, few + 1}


def test_rows_with_equal_keys_are_in_one_fold() -> None:
    keys = [row % 20 for row in range(100)]
    strata = [row % 3 for row in range(100)]
    folds = draw_folds(keys, strata, 4)
    assert sorted(map(len, folds)) == [25] * 4
    assert all(len([fold for fold in folds if any(keys[row] == key for row in fold)]) == 1 for key in range(20))
    # Each key has all three strata, nearly evenly, and so has every fold.
    assert all(7 <= count <= 10 for fold in folds for count in Counter(strata[row] for row in fold).values())


def test_a_draw_depends_on_its_seed_alone() -> None:
    strata = [row % 2 for row in range(40)]
    first = draw_folds(range(40), strata, 5)
    assert first == draw_folds([f"other keys {row}" for row in range(40)], [f"class {s}" for s in strata], 5)
    assert first != draw_folds(range(40), strata, 5, seed=1)
    # Pinned: other folds would be other results under the same id.
    assert first[0] == [2, 10, 11, 12, 21, 25, 29, 30]


@pytest.mark.parametrize("keys", [[1, 2, 1, 2, 1], []])
def test_fewer_different_rows_than_folds_are_refused(keys: list[int]) -> None:
    with pytest.raises(DataError, match=f"3 folds need as many .* there are {len(set(keys))}: choose fewer"):
        draw_folds(keys, [0] * len(keys), 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=13), st.integers(2, 6))
def test_whatever_the_rows_no_fold_is_empty_and_none_shares_a_key(rows: list[tuple[int, int]], count: int) -> None:
    keys, strata = [key for key, _ in rows], [stratum for _, stratum in rows]
    if len(set(keys)) < count:
        return
    folds = draw_folds(keys, strata, count)
    assert sorted(chain(*folds)) == list(range(len(rows)))
    assert all(folds)
    owners = Counter(key for fold in folds for key in {keys[row] for row in fold})
    assert max(owners.values()) == 1
