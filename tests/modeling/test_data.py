from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tlbench import Answer, Example, Examples
from tlbench.contracts.errors import PluginError
from tlbench.modeling.data import Ragged, checked, one_row_each


def with_targets(*targets: object):
    examples = Examples(Example(str(i), ("text",), target) for i, target in enumerate(targets))
    return one_row_each(examples, [0] * len(targets), list, [1] * len(targets), "made")


def test_numbers_and_labels_are_arrays_of_numbers():
    assert with_targets(0, 1, 1).targets.tolist() == [0, 1, 1]
    assert with_targets(0.5, 1.0).targets.dtype == np.float64
    assert with_targets((0, 1, 1), (1, 0, 0)).targets.shape == (2, 3)


def test_targets_of_any_length_are_objects():
    tags = with_targets((0, 1), (2,)).targets
    assert tags.shape == (2,)
    assert tags.tolist() == [(0, 1), (2,)]
    answers = with_targets((Answer("a", 0),), (Answer("b", 3),)).targets
    assert answers.shape == (2,)
    assert answers[1] == (Answer("b", 3),)
    assert with_targets(("one text",), ("another",)).targets.shape == (2,)


def test_unlabelled_examples_have_no_targets():
    with pytest.raises(ValueError, match="unlabelled"):
        _ = with_targets(0, None).targets


@pytest.mark.parametrize(("rows", "lengths"), [("ab", (1, 1)), ("abc", (1, 1)), ("ab", (1, 1, 1)), ("abcd", (1,) * 4)])
def test_one_row_each_refuses_other_numbers_of_rows_or_lengths(rows, lengths):
    examples = Examples(Example(str(i), ("text",), i) for i in range(3))
    with pytest.raises(PluginError, match=f"{len(rows)} rows and {len(lengths)} lengths for 3 examples"):
        one_row_each(examples, list(rows), list, lengths, "made")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"examples": Examples([])}, "0 of 3 examples"),
        ({"rows": [0]}, "1 rows, 3 lengths and 3 owners"),
        ({"lengths": np.ones(2)}, "3 rows, 2 lengths and 3 owners"),
        ({"owners": np.arange(4)}, "3 rows, 3 lengths and 4 owners"),
        ({"alignment": [np.zeros(1)]}, "3 rows and the alignment of 1"),
        ({"truncated": np.zeros(2, dtype=bool)}, "2 entries of truncated for 3 examples"),
        ({"owners": np.array([0, 2, 2])}, "1 examples without a row, first '1'"),
    ],
)
def test_data_that_lacks_examples_or_rows_is_refused(changes, message):
    data = with_targets(0, 1, 1)
    assert checked(data, data.examples) is data
    with pytest.raises(PluginError, match=message):
        checked(replace(data, **changes), data.examples)


def test_ragged_rows_are_views_into_one_array():
    rows = Ragged(np.array([2, 2, 5]), np.arange(10).reshape(5, 2))
    assert len(rows) == 3
    assert [row.tolist() for row in rows] == [[[0, 1], [2, 3]], [], [[4, 5], [6, 7], [8, 9]]]
    assert rows[-1].tolist() == rows[2].tolist()
    assert np.shares_memory(rows[2], rows.flat)
    assert [len(row) for row in rows[1:]] == [0, 3]
    with pytest.raises(IndexError):
        rows[3]


def test_taken_examples_keep_the_alignment_of_their_rows():
    examples = Examples(Example(str(i), ("text",), i) for i in range(3))
    data = replace(
        one_row_each(examples, ["a", "b0", "b1"], list, [1, 2, 3], "made"),
        owners=np.array([0, 1, 1]), alignment=Ragged(np.array([1, 3, 6]), np.arange(6)),
        truncated=np.array([False, True, True]),
    )  # fmt: skip
    taken = data.take([1, 0])
    assert taken.owners.tolist() == [0, 0, 1]
    assert taken.truncated.tolist() == [True, False]
    assert (data.truncated_share, taken.truncated_share) == (2 / 3, 1 / 2)
    assert with_targets(0, 1).truncated_share is None
    assert [row.tolist() for row in taken.alignment] == [[1, 2], [3, 4, 5], [0]]
    hidden = taken.with_rows(["x", "y", "z"], list, "hidden")
    assert [row.tolist() for row in hidden.alignment] == [[1, 2], [3, 4, 5], [0]]
