"""`--set NAME=VALUE` sets a hyperparameter, a parameter of a strategy or a field of the protocol, whichever it is."""

import types
from dataclasses import dataclass

import pytest

from tlbench import Choice, Float, Int, hookimpl
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.cli.app import _main
from tlbench.contracts.errors import UsageError
from tlbench.planning.plan import plan
from tlbench.planning.selection import Selection
from tlbench.planning.settings import NamedValue, apply_settings, read_settings
from tlbench.planning.suite import Patch, Suite, SuiteBlock
from tlbench.testing import toy_plugin
from tlbench.testing.toys import ToyFit


@dataclass(frozen=True)
class Sized(ToyFit):
    name: str = "sized"
    batch: int = 8

    def space(self, about):
        return {"lr": Float(1e-4, 1e-1, log=True), "depth": Int(1, 4), "pool": Choice(("mean", "1", "cls"))}


@dataclass(frozen=True)
class Rated(ToyFit):
    name: str = "rated"
    lr: float = 0.1

    def space(self, about):
        return {"momentum": Float(0, 1)}


NO_CHANGES = Patch()


@pytest.fixture(scope="module")
def catalog():
    module = types.ModuleType("mine")
    module.tlbench_strategies = hookimpl(lambda: [Sized(), Rated()])
    return Catalog.discover([Plugin("toys", "1.0", "toys", toy_plugin), Plugin("mine", "1.0", "main", module)])


@pytest.fixture
def cells(catalog):
    def cells(strategies, *texts, space=None, protocol=NO_CHANGES):
        suite = Suite((SuiteBlock(("toy-tone",), tuple(strategies), ("toy",)),), name="s", space=space or {})
        selection = Selection(protocol=protocol, settings=read_settings(texts))
        return plan(suite, catalog, selection).cells

    return cells


def test_a_hyperparameter_is_fixed_as_a_suite_would_fix_it(cells):
    (cell,) = cells(["sized"], "lr=1e-3")
    assert cell.space == {"lr": 1e-3}
    assert cell.id == cells(["sized"], space={"sized": {"lr": 1e-3}})[0].id
    assert cell.id != cells(["sized"])[0].id


@pytest.mark.parametrize(
    ("text", "value"), [("depth=2", 2), ("pool=cls", "cls"), ("pool=1", "1"), ("lr=0.01", 0.01), ("space.depth=3", 3)]
)
def test_values_have_the_type_of_the_domain(cells, text, value):
    (cell,) = cells(["sized"], text)
    assert list(cell.space.values()) == [value]
    assert type(next(iter(cell.space.values()))) is type(value)


def test_all_values_set_leave_nothing_to_search(cells):
    (cell,) = cells(["sized"], "lr=1e-3", "depth=2", "pool=cls", "trials=9")
    assert cell.protocol.trials == 1


def test_only_strategies_that_have_the_name_are_changed(cells):
    fit, sized, majority = cells(["toy-fit", "sized", "toy-majority"], "depth=2")[1:] + cells(["toy-majority"])
    assert (fit.space, sized.space, majority.space) == ({}, {"depth": 2}, {})
    fit, sized = cells(["toy-fit", "sized"], "lr=0.01")
    assert fit.space == sized.space == {"lr": 0.01}


def test_a_set_value_wins_over_the_suite_for_every_variant(cells):
    space = {"sized": {"lr": 0.1}, "sized[batch=4]": {"lr": 0.05, "depth": 1}, "mine/sized": {"lr": 0.01}}
    plain, variant = cells(["sized", "sized[batch=4]"], "lr=0.001", space=space)
    assert plain.space == {"lr": 0.001}
    assert variant.space == {"lr": 0.001, "depth": 1}


def test_a_parameter_changes_the_name_of_the_strategy(cells):
    (cell,) = cells(["sized"], "batch=4")
    assert cell.id == cells(["sized[batch=4]"])[0].id
    # The default is not part of the name, and what a suite narrows for a variant is kept.
    assert cells(["sized"], "batch=8")[0].id == cells(["sized"])[0].id
    (cell,) = cells(["sized[batch=8]"], "batch=8", space={"sized": {"depth": 1}})
    assert cell.space == {"depth": 1}


def test_a_field_of_the_protocol_is_set(cells):
    (cell,) = cells(["sized"], "max_steps=5", "refit=true", "lag=4", "seeds=0,3")
    protocol = cell.protocol
    assert (protocol.max_steps, protocol.refit, protocol.lag, protocol.seeds) == (5, True, 4, (0, 3))
    assert cells(["sized"], "seeds=2")[0].protocol.seeds == (0, 1)
    assert cell.id == cells(["sized"], protocol=Patch(max_steps=5, refit=True, lag=4, seeds=(0, 3)))[0].id


def test_a_name_that_is_two_things_is_refused_with_both_and_chosen_by_a_prefix(cells):
    message = (
        "--set lr=0.01: it is a hyperparameter of sized and a parameter of rated: give --set space.lr=0.01 or"
        " --set strategy.lr=0.01"
    )
    with pytest.raises(UsageError, match=message):
        cells(["sized", "rated"], "lr=0.01")
    sized, rated = cells(["sized", "rated"], "space.lr=0.01")
    assert (sized.space, rated.strategy.name) == ({"lr": 0.01}, "rated")
    sized, rated = cells(["sized", "rated"], "strategy.lr=0.01")
    assert (sized.space, rated.strategy.name) == ({}, "rated[lr=0.01]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr", "--set lr: write NAME=VALUE"),
        ("=3", "write NAME=VALUE"),
        ("head.lr=3", "write NAME=VALUE"),
        ("depht=3", r"--set depht=3: nothing here has 'depht'; did you mean depth"),
        ("protocol.lr=3", "nothing here has 'lr'"),
        ("lr=fast", "--set lr=fast: 'fast' is not a number"),
        ("depth=2.5", "2.5 is not a whole number"),
        ("batch=many", r"--set batch=many: sized\[batch=many\]: expected a whole number"),
        ("max_steps=0", "--set max_steps=0: expected int >= 1"),
        ("trials=4", "--set trials=4: another option sets trials: give one of them"),
    ],
)
def test_a_mistake_is_one_line_that_begins_with_the_option(cells, text, message):
    with pytest.raises(UsageError, match=message):
        cells(["sized"], text, protocol=Patch(trials=3))


@pytest.mark.parametrize(
    ("task", "example"),
    [
        ("csv:a.csv", "-t 'csv:a.csv[drop_missing=true]'"),
        ("csv:a.csv[text=The text]", "-t 'csv:a.csv[text=The text,drop_missing=true]'"),
    ],
)
def test_an_option_of_a_task_of_own_data_is_written_in_its_name(catalog, task, example):
    block = SuiteBlock(tasks=(task,), strategies=("toy-fit",), backbones=("toy",))
    with pytest.raises(UsageError, match="nothing here has 'drop_missing'") as refused:
        apply_settings(read_settings(["drop_missing=true"]), Suite((block,), name="x"), [block], Patch(), catalog)
    assert str(refused.value).endswith(f"; an option of a task's data is written in its name, as {example}")


def test_a_name_is_set_once(cells):
    assert read_settings(["lr=1", "space.lr=2"]) == (NamedValue("lr", "1"), NamedValue("lr", "2", "space"))
    with pytest.raises(UsageError, match="lr is set twice"):
        read_settings(["lr=1", "lr=2"])
    with pytest.raises(UsageError, match=r"sized\[batch=4\] sets batch itself"):
        cells(["sized[batch=4]"], "batch=16")


def test_the_command_says_what_was_set(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.setenv("TLBENCH_OUT", str(tmp_path / "out"))
    arguments = ["plan", "-t", "toy-tone", "-b", "toy", "-S", "toy-fit", "-S", "toy-tune"]
    assert _main([*arguments, "--set", "lr=0.01", "--set", "max_steps=5"]) == 0
    captured = capsys.readouterr()
    assert "--set lr=0.01: a hyperparameter of toy-fit, toy-tune\n" in captured.err
    assert "--set max_steps=5: a field of the protocol\n" in captured.err
    assert "5 steps" in captured.out
