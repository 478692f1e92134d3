"""Shuffled training batches of rows of similar length."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tlbench.training.training_batches import train_batches

LENGTHS = np.random.default_rng(0).integers(3, 60, 500)


def _first(count: int, seed: int = 0) -> list[list[int]]:
    return list(islice(train_batches(LENGTHS, 16, seed), count))


def test_each_pass_has_every_row_once() -> None:
    batches = _first(64)
    for one_pass in (batches[:32], batches[32:]):
        assert sorted(i for batch in one_pass for i in batch) == list(range(500))
    assert batches[:32] != batches[32:]
    assert all(len(batch) <= 16 for batch in batches)


def test_the_seed_decides_the_order() -> None:
    assert _first(10) == _first(10)
    assert _first(10) != _first(10, seed=1)


def test_rows_of_a_batch_are_of_like_length() -> None:
    # The computed area of padded batches, against that of batches in random order.
    grouped = sum(LENGTHS[batch].max() * len(batch) for batch in _first(32))
    order = np.random.default_rng(0).permutation(500)
    shuffled = sum(LENGTHS[part].max() * len(part) for part in np.array_split(order, 32))
    assert grouped < 1.2 * LENGTHS.sum() < 1.5 * LENGTHS.sum() < shuffled


def test_batches_do_not_come_in_order_of_length() -> None:
    means = [LENGTHS[batch].mean() for batch in _first(32)]
    assert means != sorted(means)


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        next(train_batches(np.zeros(0, dtype=np.int64), 16, 0))


@pytest.mark.parametrize("size", [0, -1])
def test_an_empty_batch_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size={size}"):
        next(train_batches(LENGTHS, size, 0))


@pytest.mark.parametrize(("rows", "size"), [(17, 16), (33, 8), (257, 16), (4, 3)])
def test_no_row_is_left_alone_in_its_batch(rows: int, size: int) -> None:
    batches = list(islice(train_batches(LENGTHS[:rows], size, 0), -(-rows // size)))
    assert sorted(i for batch in batches for i in batch) == list(range(rows))
    assert sorted({len(batch) for batch in batches})[0] == 2
    assert max(len(batch) for batch in batches) <= size


def test_batches_of_one_row_are_possible() -> None:
    assert [len(batch) for batch in islice(train_batches(LENGTHS[:5], 1, 0), 5)] == [1] * 5
    assert sorted(len(batch) for batch in islice(train_batches(LENGTHS[:5], 2, 0), 3)) == [1, 2, 2]
