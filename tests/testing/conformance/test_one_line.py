"""One line makes the checks of any object of a plugin."""

import types
from pathlib import Path

import pytest

from tlbench import Classes, hookimpl
from tlbench.metrics import METRICS
from tlbench.testing import conformance, toy_plugin
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyTask

TestToyTask = conformance.of(ToyTask())
TestToyPlugin = conformance.of(toy_plugin)
TestAccuracy = conformance.of(METRICS["accuracy"])


@pytest.mark.parametrize(
    ("item", "checks"),
    [
        (ToyBackbone(), conformance.BackboneConformance),
        (ToyFit(), conformance.StrategyConformance),
        (Classes(("no", "yes")), conformance.OutputConformance),
        (Path("suite.toml"), conformance.SuiteConformance),
        (toy_plugin, conformance.PluginConformance),
        (lambda: None, conformance.CommandConformance),
    ],
)
def test_the_kind_follows_from_the_object(item, checks):
    assert issubclass(conformance.of(item), checks)


def test_settings_are_attributes_of_the_class_and_may_be_the_object_s_own():
    class Own(ToyFit):
        conformance = {"saves": False, "draws": 5}

    made = conformance.of(Own(), draws=2)
    assert (made.saves, made.draws, made.strategy) == (False, 2, Own())


def test_an_observer_is_checked_as_one():
    module = types.ModuleType("observing")
    module.tlbench_recorded = hookimpl(lambda cell, record: None)
    made = conformance.of(module)
    assert issubclass(made, conformance.ObserverConformance)
    assert issubclass(made, conformance.PluginConformance)


@pytest.mark.parametrize(
    ("item", "settings", "message"),
    [
        (ToyFit, {}, "ToyFit is a class: check an object of it, as conformance.of(ToyFit())"),
        (ToyFit(), {"task": ToyTask()}, "StrategyConformance has no setting 'task'; it has"),
        (ToyFit(), {"kind": "model"}, "there are no checks for a model: the kinds are backbone, task"),
        ("norm-only", {}, "a str is no object of a plugin: subclass one of Backbone, Task"),
    ],
)
def test_mistakes_are_one_line(item, settings, message):
    with pytest.raises(TypeError, match="^" + message.replace("(", r"\(").replace(")", r"\)")):
        conformance.of(item, **settings)
