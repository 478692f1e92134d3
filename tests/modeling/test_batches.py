"""Batches for inference."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tlbench.modeling.batches import inference_batches, padding_share


@given(st.lists(st.integers(0, 600), max_size=80), st.integers(1, 512), st.integers(1, 20))
def test_every_row_once_within_the_budget(lengths: list[int], budget: int, max_rows: int) -> None:
    batches = inference_batches(np.asarray(lengths, dtype=np.int64), budget, max_rows)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or (longest * len(batch) <= budget and len(batch) <= max_rows)


def test_longest_rows_come_first() -> None:
    assert inference_batches(np.asarray([1, 5, 3, 5]), token_budget=10) == [[1, 3], [2, 0]]


def test_the_padding_share_is_relative_to_all_computed_tokens() -> None:
    lengths = np.asarray([4, 2, 1, 1])
    assert padding_share(lengths, [[0, 1], [2, 3]]) == 1 - 8 / 10
    assert padding_share(lengths, [[0, 2, 3]]) == 0.5
    assert padding_share(lengths, [[2, 3]]) == 0
    assert padding_share(lengths, []) == 0
