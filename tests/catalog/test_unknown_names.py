"""Messages about unknown names say what was meant: a scheme, another kind, a near name, or where a key belongs."""

import dataclasses
import types

import pytest

from tlbench import Float, Strategy, UsageError, hookimpl
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.contracts.errors import UnknownName
from tlbench.testing import toy_plugin


@dataclasses.dataclass(frozen=True)
class Tuned(Strategy):
    name: str = "tuned"
    batch: int = 32
    is_deep: bool = False

    def space(self, about):
        return {"lr": Float(1e-5, 1e-3)}


class Needy(Tuned):
    def space(self, about):
        return {"lr": Float(about.backbone.width, 1.0)}


def suggest(kind, name):
    return [f"ours:org/{name}"] if kind == "backbone" and name == "rosenet18" else []


def broken_suggest(kind, name):
    raise RuntimeError("no idea")


HOOKS = {
    "tlbench_strategies": lambda: [Tuned(), Needy("needy")],
    "tlbench_schemes": lambda: {"ours:<org/name>": "backbone", "table:<file>": "task"},
    "tlbench_suggest": suggest,
}


@pytest.fixture(scope="module")
def catalog():
    modules = {name: types.ModuleType(name) for name in ("hub", "broken")}
    for hook, function in HOOKS.items():
        setattr(modules["hub"], hook, hookimpl(function))
    modules["broken"].tlbench_suggest = hookimpl(broken_suggest)
    plugins = [Plugin(name, "1.0", "main", module) for name, module in modules.items()]
    return Catalog.discover([*plugins, Plugin("toys", "1.0", "toys", toy_plugin)])


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("backbone", "rosenet18", "; did you mean ours:org/rosenet18?"),
        ("backbone", "tuned", "; it is a strategy: give it with --strategy"),
        ("task", "toy", "; it is a backbone: give it with --backbone"),
        ("task", "toy-tune", "toy-tone"),
        ("backbone", "qqq", "ours:<org/name>"),
        ("task", "tabel:x.csv", "; did you mean table:x.csv?"),
        ("backbone", "table:x.csv", "; table: names a task, and a backbone is named as "),
        ("strategy", "ours:a/b", "; ours: names a backbone, and a strategy is named as peft:<method>"),
        ("backbone", "qqqq:x", "; is the plugin for 'qqqq' installed? a backbone is named as "),
    ],
)
def test_what_was_meant(catalog, kind, name, message):
    with pytest.raises(UnknownName) as caught:
        getattr(catalog, kind)(name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "tuned[lr=1e-4]",
            "tuned has no parameter 'lr'; it has: batch, is_deep; lr is a hyperparameter of its search: fix it with"
            " --set lr=1e-4, or in a suite with [space.tuned] lr = 1e-4",
        ),
        ("tuned[trials=3]", "trials belongs to the protocol: --set trials=3, or in a suite [protocol] trials = 3"),
        ("tuned[batchs=3]", "tuned has no parameter 'batchs'; did you mean batch? it has: batch, is_deep"),
        ("needy[lr=1e-4]", "needy has no parameter 'lr'; it has: batch, is_deep"),
        ("tuned[is_deep=maybe]", "tuned[is_deep=maybe]: expected true or false"),
        ("tuned[batch=many]", "tuned[batch=many]: expected a whole number"),
    ],
)
def test_a_key_that_belongs_elsewhere_is_sent_there(catalog, name, message):
    with pytest.raises(UsageError) as caught:
        catalog.strategy(name)
    assert message in str(caught.value)
