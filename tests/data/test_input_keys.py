"""Keys of inputs, and keys that groups connect."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tlbench import ImageFile
from tlbench.data.input_keys import input_key, joined


def test_equal_inputs_have_equal_keys():
    assert input_key(("a", ["b", "c"])) == input_key(("a", ("b", "c"))) != input_key(("a", "b"))
    red, also_red, blue = (Image.new("RGB", (2, 2), colour) for colour in ("red", "red", "blue"))
    assert input_key((red,)) == input_key((also_red,)) != input_key((blue,))
    assert input_key((ImageFile(Path("a"), "1"),)) == input_key((ImageFile(Path("b"), "1"),))


def test_groups_connect_keys_over_other_rows():
    keys, groups = ["a", "b", "b", "c", "d", "e"], ["p", "p", "q", "q", "", ""]
    connected = joined(keys, groups)
    assert len(set(connected[:4])) == 1
    assert len(set(connected)) == 3
    # A group is no key, even where they are written alike.
    assert len(set(joined(["p", "x"], ["x", ""]))) == 2


def test_without_groups_the_keys_are_unchanged():
    keys = ["a", "b", "a"]
    assert joined(keys, ["", "", ""]) is keys


def test_a_long_chain_of_groups():
    count = 50_000
    assert len(set(joined(list(range(count)), [f"g{row // 2}" for row in range(count)]))) == count // 2
    assert len(set(joined([row // 2 for row in range(count)], [f"g{(row + 1) // 2}" for row in range(count)]))) == 1
