"""Beginnings of ids: the number of digits that tells cells apart, and the cell that is meant."""

import pytest

from tlbench.contracts.errors import UnknownName, UsageError
from tlbench.results.records.cell_ids import distinct_length, full_id

IDS = ("3fa9c1aaaaaaaaaa", "3fa9c1bbbbbbbbbb", "3fb0000000000000")


@pytest.mark.parametrize(
    ("ids", "length"), [(IDS, 7), (IDS[1:], 4), (IDS[:1] * 2, 4), ((), 4), (("0" * 15 + "1", "0" * 16), 16)]
)
def test_as_many_digits_as_tell_ids_apart(ids, length):
    assert distinct_length(ids) == length
    assert len({one[:length] for one in ids}) == len(set(ids))


def test_a_beginning_means_the_only_cell_that_has_it():
    assert full_id("3fb", IDS) == IDS[2]
    assert full_id(IDS[0], IDS) == IDS[0]
    with pytest.raises(UsageError, match=f"'3fa9c1' begins the ids of 2 cells: {IDS[0]}, {IDS[1]}; give more"):
        full_id("3fa9c1", IDS)
    with pytest.raises(UnknownName, match="no cell whose id is or begins with '4'"):
        full_id("4", IDS)
