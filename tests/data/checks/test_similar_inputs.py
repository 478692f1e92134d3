"""Which inputs count as equal, exactly and after normalisation, and which names look alike."""

from pathlib import Path

import pytest

from tlbench import ImageFile
from tlbench.data.checks.similar_inputs import normalised_key
from tlbench.data.checks.similar_names import folded, look_alike
from tlbench.data.input_keys import input_key

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
    assert (input_key(inputs) == input_key(others)) is same
    assert (normalised_key(inputs) == normalised_key(others)) is similar
    assert len({input_key(inputs), input_key(others)}) == (1 if same else 2)


def test_names_that_look_alike():
    assert folded("New\u00a0York\u200b") == folded("\uff4e\uff45\uff57 york") == "newyork"
    assert folded("caf\u00e9") == folded("Cafe\u0301")
    assert look_alike(["yes", "no", "Yes ", "maybe", "no\u200b"]) == [("yes", "Yes "), ("no", "no\u200b")]
    assert look_alike(["yes", "no"]) == []
