"""Values on disk are strict."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlbench import Choice, Example, Examples, Float, Int
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Record
from tlbench.contracts.space import Range, is_fixed, narrow


def test_unknown_fields_in_a_record_are_refused():
    cell = Cell(Ref("a"), Ref("b"), Protocol())
    raw = msgspec.json.decode(msgspec.json.encode(Record(cell, "ok")))
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({**raw, "colour": 1}, Record)


@pytest.mark.parametrize(
    "fields",
    [{"trials": 0}, {"seeds": []}, {"seeds": [1, 1]}, {"max_steps": 1, "epochs": 2.0}, {"max_seconds": float("inf")}],
)
def test_a_protocol_that_cannot_be_is_refused(fields):
    with pytest.raises((msgspec.ValidationError, ValueError)):
        msgspec.convert(fields, Protocol)


SPACE = {"lr": Float(1e-5, 1e-1, log=True), "n": Int(1, 9), "kind": Choice(("a", "b"))}


def test_narrows_and_fixes():
    narrowed = narrow(SPACE, {"lr": 1e-3, "n": Range(high=4), "kind": ["b"]})
    assert narrowed == {"lr": Choice((1e-3,)), "n": Int(1, 4), "kind": Choice(("b",))}
    assert is_fixed(narrowed["lr"])
    assert not is_fixed(narrowed["n"])
    assert SPACE["n"] == Int(1, 9)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"speed": 1}, "speed: no such hyperparameter; the strategy has kind, lr, n"),
        ({"n": 1.5}, "n: 1.5 is not a whole number"),
        ({"lr": "fast"}, "lr: 'fast' is not a number"),
        ({"kind": 3}, "kind: 3 is not of the type"),
        ({"lr": Range(low=0.0)}, "lr: a log scale needs low above 0"),
        ({"n": Range(low=10)}, "n: low 10 is above high 9"),
        ({"kind": Range(low=1)}, "kind: a choice takes"),
        # True is an int to Python.
        ({"n": True}, "n: True is not a number"),
        ({"lr": float("nan")}, "lr: nan is not finite"),
    ],
)
def test_refuses_what_does_not_fit(override, message):
    with pytest.raises(ValueError, match=message):
        narrow(SPACE, override)


@given(st.floats(), st.floats())
def test_a_range_is_finite_and_the_right_way_round(low, high):
    if math.isfinite(low) and math.isfinite(high) and low <= high:
        assert Float(low, high).low == low
    else:
        with pytest.raises(ValueError, match=r"finite|above"):
            Float(low, high)


def test_a_fingerprint_sees_every_part_of_an_example():
    base = Example("1", ("a", "b"), 0, {"kind": "x"})
    others = [
        Example("2", ("a", "b"), 0, {"kind": "x"}),
        Example("1", ("ab",), 0, {"kind": "x"}),
        Example("1", ("a", "b"), 1, {"kind": "x"}),
        Example("1", ("a", "b"), 0, {"kind": "y"}),
        Example("1", ("a", "b"), 0, {"kind": "x"}, group="p"),
        Example("1", ("a", "b"), 0, {"kind": "x"}, group="q"),
    ]
    prints = {Examples([example]).fingerprint for example in (base, *others)}
    assert len(prints) == 7
    assert len({Examples([example]).without_groups().fingerprint for example in (base, *others)}) == 5
    # Examples without a group keep the fingerprint that they had before there were groups.
    assert Examples([base]).fingerprint == "454099b1b97be55b"
    assert Examples([base])[0:1].without_targets()[0].target is None
