"""Discovery is guarded: a broken plugin disables itself alone and is named."""

import dataclasses
import sys
import types

import pytest

from tlbench import Backbone, Classes, Metric, Policy, Renderer, Task, UsageError, hookimpl
from tlbench.catalog import hookspecs
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.contracts.errors import AmbiguousName, UnknownName
from tlbench.testing import toy_plugin
from tlbench.testing.toys import ToyFit, ToyTask


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


HOOKS = ", ".join(name for name in vars(hookspecs) if name.startswith("tlbench_"))


@pytest.mark.parametrize(("hook", "meant"), [("tlbench_taskz", "did you mean tlbench_tasks? "), ("provide_models", "")])
def test_an_unknown_hook_is_a_broken_plugin_and_the_hooks_are_listed(hook, meant):
    catalog = Catalog.discover([plugin("typo", **{hook: lambda: []}), TOYS])
    reason = f"it implements {hook}, which is no hook; {meant}The hooks are {HOOKS}"
    assert [broken.reason for broken in catalog.broken if "typo" in broken.plugin] == [reason]
    assert catalog.task("toy-tone")


def test_a_hook_may_be_implemented_under_another_name_or_be_optional():
    module = types.ModuleType("renamed")
    module.our_tasks = hookimpl(specname="tlbench_tasks")(lambda: [ToyTask()])
    module.tlbench_of_the_future = hookimpl(optionalhook=True)(lambda: [])
    catalog = Catalog.discover([Plugin("renamed", "1.0", "main", module)])
    assert catalog.task("toy-tone").distribution == "renamed"
    assert not [broken for broken in catalog.broken if "renamed" in broken.plugin]


def test_an_object_that_is_not_a_task_is_named():
    catalog = Catalog.discover([plugin("odd", tlbench_tasks=lambda: ["not a task", ToyTask()])])
    assert catalog.task("toy-tone").distribution == "odd"
    assert any("odd" in broken.plugin for broken in catalog.broken)


BARE = {"name": "bare", "modality": "text", "output": Classes(("no", "yes")), "metrics": ("accuracy",)}


def task(**changes):
    # None leaves an attribute out.
    attributes = {name: value for name, value in {**BARE, **changes}.items() if value is not None}
    return type("Made", (Task,), attributes)()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"modality": None}, "the task 'bare' (Made) has no modality"),
        ({"output": None}, "the task 'bare' (Made) has no output"),
        ({"metrics": None}, "the task 'bare' (Made) has no metrics"),
        ({"metrics": "accuracy"}, "the task 'bare' (Made) has the metrics 'accuracy', which are no tuple"),
        ({"metrics": ()}, "the task 'bare' (Made) has the metrics (), which are no tuple"),
        ({"version": "1.0"}, "the task 'bare' (Made) has the version '1.0', which is no int"),
        ({"version": True}, "has the version True"),
    ],
)
def test_an_object_without_a_required_attribute_is_named_and_left_out(changes, reason):
    catalog = Catalog.discover([plugin("odd", tlbench_tasks=lambda: [task(**changes), ToyTask()])])
    assert [entry.name for entry in catalog.entries("task") if entry.distribution == "odd"] == ["toy-tone"]
    (broken,) = [b for b in catalog.broken if b.plugin.startswith("odd")]
    assert reason in broken.reason


def renderer(name):
    return type("Made", (Renderer,), {"name": name})()


def metric(name, **changes):
    return type("Made", (Metric,), {"name": name, "label": "made", "outputs": (Classes,), **changes})()


@pytest.mark.parametrize("name", ["csv", "terminal"])
def test_a_renderer_that_has_the_name_of_one_of_tlbench_s_own_is_named_and_left_out(name):
    catalog = Catalog.discover([plugin("a-mine", tlbench_renderers=lambda: [renderer(name), renderer("mine")])])
    assert [entry.distribution for entry in catalog.entries("renderer") if entry.name == name] == ["tlbench"]
    assert catalog.renderer("mine").distribution == "a-mine"
    (broken,) = [b for b in catalog.broken if b.plugin.startswith("a-mine")]
    assert broken.reason == f"the renderer '{name}' (Made) has the name of one of tlbench's own: give it another"


def test_policies_are_found_by_name_and_keep_the_names_of_tlbench_s_own():
    mine, race = (type("Made", (Policy,), {"name": name})() for name in ("size-order", "race"))
    catalog = Catalog.discover([plugin("mine", tlbench_policies=lambda: [mine, race, object()])])
    assert catalog.policy("size-order").item is mine
    assert catalog.policy("race").distribution == "tlbench"
    assert {"race", "halving", "random", "size-order"} <= {entry.name for entry in catalog.entries("policy")}
    assert [b.reason for b in catalog.broken if b.plugin.startswith("mine")] == [
        "the policy 'race' (Made) has the name of one of tlbench's own: give it another",
        "tlbench_policies returned a object None, not a Policy with a name",
    ]
    with pytest.raises(UnknownName, match="unknown policy 'rase'; did you mean race"):
        catalog.policy("rase")


def test_neither_metrics_nor_executors_take_names_of_tlbench_s_own():
    inline = dataclasses.make_dataclass("Made", [("name", str, "inline")], namespace={"start": lambda self, asked: 0})
    hooks = {"tlbench_metrics": lambda: [metric("accuracy")], "tlbench_executors": lambda: [inline()]}
    catalog = Catalog.discover([plugin("mine", **hooks)])
    assert catalog.executor("inline").distribution == "tlbench"
    assert [b.reason for b in catalog.broken if b.plugin.startswith("mine")] == [
        "the metric 'accuracy' (Made) has the name of one of tlbench's own: give it another",
        "the executor 'inline' (Made) has the name of one of tlbench's own: give it another",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("-dash", "it begins with a dash, as options do"),
        ("with space", "it holds ' '"),
        ("a[b=c]", "it holds '=', '[', ']'"),
        ("two\nlines", r"it holds '\n'"),
        ("x\u202egnp", r"it holds '\u202e'"),
    ],
)
@pytest.mark.parametrize("kind", ["renderer", "metric", "task"])
def test_a_name_that_no_command_can_take_is_refused(kind, name, reason):
    made = {"renderer": renderer, "metric": metric, "task": lambda name: task(name=name)}[kind](name)
    catalog = Catalog.discover([plugin("odd", **{f"tlbench_{kind}s": lambda: [made]})])
    assert not [entry for entry in catalog.entries(kind) if entry.distribution == "odd"]
    (broken,) = [b for b in catalog.broken if b.plugin.startswith("odd")]
    assert broken.reason == f"the {kind} {name!r} (Made) has a name that a command cannot take: {reason}"


@pytest.mark.parametrize("label", [None, "", "two\nlines", "x\ud800", "\x1b[31mred"])
def test_a_metric_whose_label_cannot_be_shown_is_refused(label):
    catalog = Catalog.discover([plugin("odd", tlbench_metrics=lambda: [metric("mine", label=label)])])
    (broken,) = [b for b in catalog.broken if b.plugin.startswith("odd")]
    assert f"the metric 'mine' (Made) has the label {label!a}, which is no line" in broken.reason


def test_versions_and_modalities_of_other_kinds_are_checked_too():
    backbone = type("Made", (Backbone,), {"name": "bare"})()
    strategy = type("Made", (ToyFit,), {"version": "1.0"})()
    catalog = Catalog.discover(
        [plugin("odd", tlbench_backbones=lambda: [backbone], tlbench_strategies=lambda: [strategy])]
    )
    assert [b.reason for b in catalog.broken if b.plugin.startswith("odd")] == [
        "the backbone 'bare' (Made) has no modality",
        "the strategy 'toy-fit' (Made) has the version '1.0', which is no int",
    ]


def test_what_a_task_computes_is_not_computed_to_list_it():
    lazy = task(output=property(lambda self: 1 / 0), metrics=property(lambda self: 1 / 0))
    assert Catalog.discover([plugin("lazy", tlbench_tasks=lambda: [lazy])]).task("bare").item is lazy


def test_a_resolved_object_is_held_to_the_same():
    catalog = Catalog.discover([plugin("mine", tlbench_resolve=lambda kind, name: task(version="2"))])
    with pytest.raises(UsageError, match=r"resolved 'mine:x': the task 'bare' \(Made\) has the version '2'"):
        catalog.task("mine:x")


def test_a_forgotten_mark_is_named():
    module = types.ModuleType("unmarked")
    module.tlbench_tasks = lambda: [ToyTask()]
    half = plugin("half", tlbench_strategies=lambda: [ToyFit()])
    half.module.tlbench_tasks = module.tlbench_tasks
    catalog = Catalog.discover([Plugin("unmarked", "1.0", "main", module), half])
    assert {b.plugin: b.reason for b in catalog.broken if b.plugin.startswith(("unmarked", "half"))} == {
        "unmarked 1.0 (main)": f"it implements no hook; is @hookimpl missing? The hooks are {HOOKS}",
        "half 1.0 (main)": "its tlbench_tasks is not marked as a hook; is @hookimpl missing?",
    }
    assert catalog.strategy("half/toy-fit")
    assert "unmarked" not in {loaded.distribution for loaded in catalog.plugins}


@pytest.mark.parametrize(("body", "line"), [("\n1 / 0", 2), ("import no_such_module_at_all", 1), ("\n\nx = (", 3)])
def test_a_broken_plugin_says_where(tmp_path, monkeypatch, body, line):
    (tmp_path / "broken_somewhere.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TLBENCH_PLUGINS", "broken_somewhere,broken_nowhere")
    wheres = {b.plugin: b.where for b in Catalog.discover().broken}
    assert wheres["TLBENCH_PLUGINS=broken_somewhere"] == f"{tmp_path / 'broken_somewhere.py'}:{line}"
    assert wheres["TLBENCH_PLUGINS=broken_nowhere"] == ""


@pytest.mark.parametrize("name", ["toy-fit", "twice/toy-fit"])
def test_a_name_twice_in_one_distribution_is_the_authors_mistake(name):
    twice = plugin("twice", tlbench_strategies=lambda: [ToyFit(), ToyFit()])
    with pytest.raises(UsageError, match="twice has two strategies named 'toy-fit'"):
        Catalog.discover([twice]).strategy(name)
    both = Catalog.discover([twice, TOYS])
    with pytest.raises(AmbiguousName, match=r"use twice/toy-fit or toys/toy-fit$"):
        both.strategy("toy-fit")
    with pytest.raises(UsageError, match="twice has two"):
        both.strategy("twice/toy-fit")
    assert both.strategy("toys/toy-fit").ref.name == "toys/toy-fit"


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
    from tlbench.contracts.cell import Cell, Protocol, Ref
    from tlbench.contracts.record import Record

    seen = []
    bad = plugin("bad", tlbench_recorded=lambda cell, record: 1 / 0)
    good = plugin("good", tlbench_recorded=lambda cell, record: seen.append(record.status))
    cell = Cell(Ref("t"), Ref("s"), Protocol())
    Catalog.discover([bad, good]).recorded(cell, Record(cell, "ok"))
    assert seen == ["ok"]
    assert "bad" in caplog.text
