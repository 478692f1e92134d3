"""Discovery is guarded: a broken plugin disables itself alone and is named."""

import sys
import types

import pytest

from tlbench import Task, UsageError, hookimpl
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.contracts.errors import AmbiguousName, UnknownName
from tlbench.testing import toy_plugin
from tlbench.testing.toys import ToyTask


def plugin(name, **hooks):
    module = types.ModuleType(name)
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return Plugin(name, "1.0", "main", module)


TOYS = Plugin("toys", "1.0", "toys", toy_plugin)


def raising(error):
    def hook():
        raise error

    return hook


def test_brings_the_toys():
    catalog = Catalog.discover([TOYS])
    assert catalog.task("toy-tone").distribution == "toys"
    assert not [broken for broken in catalog.broken if "toys" in broken.plugin]


@pytest.mark.parametrize("error", [ImportError("no such module"), SystemExit(3), ValueError("bad")])
def test_a_raising_hook_disables_its_plugin_alone(error):
    catalog = Catalog.discover([plugin("bad", tlbench_tasks=raising(error)), TOYS])
    assert catalog.task("toy-tone")
    (broken,) = [b for b in catalog.broken if b.plugin.startswith("bad")]
    assert type(error).__name__ in broken.reason


@pytest.mark.parametrize("body", ["raise SystemExit(4)", "import no_such_module_at_all", "1 / 0"])
def test_a_module_that_does_not_import_is_named(tmp_path, monkeypatch, body):
    (tmp_path / "broken_on_import.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "broken_on_import, tlbench.testing.toy_plugin")
    monkeypatch.delitem(sys.modules, "broken_on_import", raising=False)
    catalog = Catalog.discover()
    assert catalog.task("toy-tone")
    assert any("broken_on_import" in broken.plugin for broken in catalog.broken)


def test_an_unknown_hook_is_a_broken_plugin():
    catalog = Catalog.discover([plugin("typo", tlbench_taskz=lambda: []), TOYS])
    assert any("typo" in broken.plugin and "taskz" in broken.reason for broken in catalog.broken)
    assert catalog.task("toy-tone")


def test_what_is_no_task_is_named():
    catalog = Catalog.discover([plugin("odd", tlbench_tasks=lambda: ["not a task", ToyTask()])])
    assert catalog.task("toy-tone").distribution == "odd"
    assert any("odd" in broken.plugin for broken in catalog.broken)


def test_a_name_of_two_distributions_is_ambiguous_only_when_used():
    twin = plugin("twin", tlbench_tasks=lambda: [ToyTask(train=7)])
    catalog = Catalog.discover([TOYS, twin])
    assert catalog.strategy("toy-fit")
    with pytest.raises(AmbiguousName, match=r"toys/toy-tone or twin/toy-tone"):
        catalog.task("toy-tone")
    assert catalog.task("twin/toy-tone").item.train == 7
    assert catalog.task("twin/toy-tone").ref.name == "twin/toy-tone"


def test_a_distribution_before_a_unique_name_leaves_its_identity():
    assert Catalog.discover([TOYS]).task("toys/toy-tone").ref.name == "toy-tone"


def test_an_unknown_name_comes_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean toy-tone"):
        Catalog.discover([TOYS]).task("toy-tune")


def test_resolves_names_with_a_scheme():
    def resolve(kind, name):
        return ToyTask(train=3) if kind == "task" and name.startswith("mine:") else None

    catalog = Catalog.discover([plugin("mine", tlbench_resolve=resolve)])
    assert isinstance(catalog.task("mine:x").item, Task)
    with pytest.raises(UsageError, match="no plugin resolves"):
        catalog.task("other:x")


def test_a_failing_observer_is_not_fatal(caplog):
    from tlbench.contracts.record import Cell, Protocol, Record, Ref

    heard = []
    bad = plugin("bad", tlbench_recorded=lambda cell, record: 1 / 0)
    good = plugin("good", tlbench_recorded=lambda cell, record: heard.append(record.status))
    cell = Cell(Ref("t"), Ref("s"), Protocol())
    Catalog.discover([bad, good]).recorded(cell, Record(cell, "ok"))
    assert heard == ["ok"]
    assert "bad" in caplog.text
