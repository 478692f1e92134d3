"""Hyperparameters that exist only with some values of others."""

import msgspec
import pytest

from tlbench import Choice, Float, Int, PluginError, When
from tlbench.contracts.space import Domain, Range, checked, existing, is_complete, narrow

SPACE = {
    "lr": Float(1e-3, 1.0, log=True),
    **When(
        "optimizer",
        ("sgd", "rmsprop"),
        momentum=Float(0.5, 0.99),
        nesterov=Choice((False, True)),
        **When("nesterov", True, delay=Int(0, 9)),
    ),
    "optimizer": Choice(("adamw", "sgd", "rmsprop")),
}


def test_a_child_exists_only_with_the_values_of_all_its_parents():
    space = checked(SPACE)
    values = {"lr": 0.1, "momentum": 0.9, "nesterov": True, "delay": 3}
    assert set(existing(space, {**values, "optimizer": "adamw"})) == {"lr", "optimizer"}
    # In the order of the space, which is the order of columns.
    assert list(existing(space, {**values, "optimizer": "sgd"})) == ["lr", "momentum", "nesterov", "delay", "optimizer"]
    assert "delay" not in existing(space, {**values, "nesterov": False, "optimizer": "sgd"})
    # True and 1 are different choices.
    assert "delay" not in existing(space, {**values, "nesterov": 1, "optimizer": "sgd"})
    assert is_complete(space, {"lr": 0.1, "optimizer": "adamw"})
    assert not is_complete(space, {"lr": 0.1, "optimizer": "sgd", "momentum": 0.9})


def test_conditions_of_parents_are_inherited_however_they_are_written():
    flat = {
        "a": Choice((1, 2)),
        **When("a", 1, b=Choice((1, 2))),
        **When("b", 2, c=Choice((1, 2))),
    }
    assert [one.parent for one in checked(flat)["c"].when] == ["a", "b"]
    assert existing(checked(flat), {"a": 2, "b": 2, "c": 1}) == {"a": 2}


def test_a_suite_can_fix_the_parent_or_narrow_the_child():
    fixed = narrow(SPACE, {"optimizer": "sgd", "momentum": Range(high=0.9)})
    assert fixed["momentum"] == Float(0.5, 0.9)  # without a condition: it always exists now
    assert narrow(SPACE, {"momentum": Range(high=0.9)})["momentum"].when
    assert set(narrow(SPACE, {"optimizer": "adamw"})) == {"lr", "optimizer"}
    assert narrow(SPACE, {"nesterov": True})["delay"].when == narrow(SPACE, {})["momentum"].when
    with pytest.raises(ValueError, match=r"^momentum: it exists only where optimizer is sgd or rmsprop, and the suite"):
        narrow(SPACE, {"optimizer": "adamw", "momentum": 0.9})


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (When("a", 1, b=Int(1, 2)), "space()['b'] depends on 'a', which the space lacks"),
        ({"a": Int(1, 2), **When("a", 1, b=Int(1, 2))}, "space()['b'] depends on 'a', which is no Choice but Int"),
        ({"a": Choice((1, 2)), **When("a", 3, b=Int(1, 2))}, "space()['b'] depends on a=3, which is not in its values"),
        ({"a": Choice((1, 2)), **When("a", True, b=Int(1, 2))}, "depends on a=True, which is not in its values"),
        ({**When("b", 1, a=Choice((1,))), **When("a", 1, b=Choice((1,)))}, "'a'] depends on itself: a -> b -> a"),
        (When("a", 1, a=Choice((1,))), "space()['a'] depends on itself: a -> a"),
        ({"a": Choice((1, 2)), **When("a", 1, **When("a", 2, b=Int(1, 2)))}, "conditions on 'a' contradict"),
        ({"a": Choice((1,)), "b": When("a", 1, c=Int(1, 2))}, "a When, not Float, Int or Choice: unpack it, as **When"),
        ({"a": (1, 2)}, "space()['a'] is a tuple, not Float, Int or Choice"),
    ],
)
def test_what_cannot_be_is_a_mistake_of_the_plugin(space, message):
    with pytest.raises(PluginError) as raised:
        checked(space)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_conditions_survive_a_file_and_plain_domains_are_written_as_before():
    (momentum,) = When("optimizer", "sgd", momentum=Float(0.5, 0.99)).values()
    assert msgspec.json.decode(msgspec.json.encode(momentum), type=Domain) == momentum
    assert repr(Choice((1,))) == "Choice(values=(1,))"
