"""Which inputs count as equal, exactly and after normalisation, and which names look alike."""

from pathlib import Path

import pytest

from tlbench import Example, ImageFile
from tlbench.data_check.same_inputs import input_key, normalised_key
from tlbench.data_check.similar_names import folded, look_alike

PAIRS = [
    (("a b",), ("a b",), True, True),
    (("a b",), ("a  B ",), False, True),
    (("stra\u00dfe",), ("STRASSE",), False, True),
    (("caf\u00e9",), ("cafe\u0301",), False, True),
    (("a b",), ("ab",), False, False),
    (("a", "b"), ("b", "a"), False, False),
    ((("a", "b"),), (["a", "b"],), True, True),
    ((("A", "b"),), (("a", "b"),), False, True),
    ((("a", "b"),), (("a b",),), False, False),
    ((ImageFile(Path("1.png"), "f00d"),), (ImageFile(Path("2.png"), "f00d"),), True, True),
    ((ImageFile(Path("1.png"), "f00d"),), (ImageFile(Path("1.png"), "beef"),), False, False),
]


@pytest.mark.parametrize(("inputs", "others", "same", "similar"), PAIRS)
def test_keys_are_equal_for_equal_inputs(inputs, others, same, similar):
    one, other = Example("1", inputs), Example("2", others)
    assert (input_key(one) == input_key(other)) is same
    assert (normalised_key(one) == normalised_key(other)) is similar
    assert hash(input_key(one)) is not None


def test_names_that_look_alike():
    assert folded("New\u00a0York\u200b") == folded("\uff4e\uff45\uff57 york") == "newyork"
    assert folded("caf\u00e9") == folded("Cafe\u0301")
    assert look_alike(["yes", "no", "Yes ", "maybe", "no\u200b"]) == [("yes", "Yes "), ("no", "no\u200b")]
    assert look_alike(["yes", "no"]) == []
