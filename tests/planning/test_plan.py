"""A suite file is read strictly, and planned into cells and skips with reasons."""

import types
from dataclasses import dataclass

import msgspec
import pytest

from tlbench import hookimpl
from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import SuiteError, UnknownName, UsageError
from tlbench.planning.plan import plan
from tlbench.planning.selection import Selection
from tlbench.planning.suite import Patch, read_suite
from tlbench.testing import toy_plugin
from tlbench.testing.toys import ToyFit

SUITE = """
description = "toys"
[protocol]
trials = 4
max_steps = 10
[[cells]]
tasks = ["toy-tone", "toy-count"]
backbones = ["toy"]
strategies = ["toy-fit", "toy-tune"]
[[cells]]
tasks = ["toy-tone"]
strategies = ["toy-majority"]
protocol = { trials = 1, seeds = 3, epochs = 2 }
[space.toy-fit]
lr = 0.5
"""


@dataclass(frozen=True)
class Sized(ToyFit):
    name: str = "sized"
    batch: int = 8


@pytest.fixture
def catalog():
    return Catalog.discover([Plugin("toys", "1.0", "toys", toy_plugin)])


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "toys.toml"
        path.write_text(text)
        return read_suite(path)

    return read


def test_reads_blocks_protocols_and_spaces(read):
    suite = read(SUITE)
    assert suite.name == "toys"
    assert suite.protocols_of(suite.cells[0]) == [Protocol(trials=4, max_steps=10)]
    # Epochs of a block replace the suite's steps.
    assert suite.protocols_of(suite.cells[1]) == [Protocol(trials=1, seeds=(0, 1, 2), epochs=2)]


def test_folds_of_a_block_or_the_command_line_fit_the_winner_on_train_and_validation(read, catalog):
    suite = read("[protocol]\nfolds=3\n" + '[[cells]]\ntasks=["toy-tone"]\nstrategies=["toy-majority"]\n')
    assert suite.protocols_of(suite.cells[0]) == [Protocol(folds=3, final="train+validation")]
    assert suite.protocols_of(suite.cells[0], Patch(folds=4))[0].folds == 4
    (cell,) = plan(suite, catalog, Selection(protocol=Patch(folds=5))).cells
    assert cell.protocol.folds == 5
    with pytest.raises(UsageError, match="set final to train\\+validation"):
        plan(suite, catalog, Selection(protocol=Patch(final="train")))


def test_a_strategy_that_needs_the_validation_split_is_skipped_where_final_fits_have_none(read, catalog, monkeypatch):
    monkeypatch.setattr(type(catalog.strategy("toy-fit").item), "needs_validation", True)
    (skip,) = {
        skip.reason
        for skip in plan(read(SUITE), catalog, Selection(protocol=Patch(final="train+validation"))).skips
        if skip.title.endswith("toy-fit")
    }
    assert skip.startswith("toy-fit reads the validation split in every fit, and final=train+validation leaves none")


def test_a_strategy_of_unlabelled_examples_is_skipped_where_there_are_none(read, catalog, monkeypatch):
    monkeypatch.setattr(type(catalog.strategy("toy-fit").item), "needs_unlabeled", True)
    suite = read('[[cells]]\ntasks=["toy-tone"]\nbackbones=["toy"]\nstrategies=["toy-fit"]\n')
    (skip,) = plan(suite, catalog).skips
    assert skip.reason.startswith("toy-fit learns from unlabelled examples too, and toy-tone has none; with a train_")
    assert len(plan(suite, catalog, Selection(protocol=Patch(shots=4))).cells) == 1
    assert len(plan(suite, catalog, Selection(tasks=("toy-tone[unlabeled=8]",))).cells) == 1


BLOCK = '[[cells]]\ntasks=["t"]\nstrategies=["s"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BLOCK + "protocol={trials=-1}", r"toys.toml: cells\[0\].protocol.trials: expected int >= 1"),
        (BLOCK + "protocol={trails=1}", r"cells\[0\].protocol: unknown key trails"),
        (BLOCK + "[space.s]\nlr={hi=1}", r"space.s.lr: unknown key hi"),
        (
            '[[cells]]\ntasks="t"\nstrategies=["s"]',
            r'cells\[0\].tasks: expected array, got str; write it as \["\.\.\."\]$',
        ),
        (
            "colour = 1\n" + BLOCK,
            r"toys.toml: unknown key colour; the keys here are cells, name, description, protocol, space, references$",
        ),
        ("[protocol]\nseed=1\n" + BLOCK, r"protocol: unknown key seed; did you mean seeds\?$"),
        ("trials=1\n" + BLOCK, r"toml: unknown key trials; trials belongs in \[protocol\]$"),
        (BLOCK + "seed=1\n", r"cells\[0\]: unknown key seed; seeds belongs in protocol = \{ \.\.\. \} of these cells$"),
        (BLOCK + "task=['u']\n", r"cells\[0\]: unknown key task; did you mean tasks\?$"),
        (
            BLOCK + "protocol={space=1}",
            r"cells\[0\]\.protocol: unknown key space; space belongs at the top of the file$",
        ),
        ("x=", "not TOML"),
        ("", "missing required field cells"),
        ("[protocol]\nmax_steps=1\nepochs=2\n" + BLOCK, "max_steps or epochs"),
        ("[protocol]\nseeds=[1,1]\n" + BLOCK, "a seed is repeated"),
        ("[protocol]\nfolds=1\n" + BLOCK, "protocol.folds: expected int >= 2"),
        ("[protocol]\nfolds=5\npruner='median'\n" + BLOCK, "choose pruner or folds"),
    ],
)
def test_refuses_with_the_path_of_the_key(read, text, message):
    with pytest.raises(SuiteError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_plans_the_cross_product_and_each_baseline_once(read, catalog):
    cells = plan(read(SUITE), catalog).cells
    assert [cell.title for cell in cells] == [
        "toy | toy-tone | toy-fit",
        "toy | toy-tone | toy-tune",
        "toy | toy-count | toy-fit",
        "toy | toy-count | toy-tune",
        "- | toy-tone | toy-majority",
    ]
    assert cells[0].space == {"lr": 0.5}
    assert len({cell.id for cell in cells}) == 5


def test_ids_depend_on_the_suite_alone(read, catalog):
    first = plan(read(SUITE), catalog).cells
    assert first == plan(read(SUITE), catalog).cells
    other = plan(read(SUITE.replace("trials = 4", "trials = 5")), catalog).cells
    # The baseline's block sets its own trials.
    assert {c.id for c in first} & {c.id for c in other} == {first[-1].id}


def test_parameters_in_names_are_part_of_identity(read, catalog):
    # 3 is the default of `blocks`.
    same = plan(read(SUITE.replace('"toy"]', '"toy[blocks=3]"]')), catalog).cells
    other = plan(read(SUITE.replace('"toy"]', '"toy[blocks=2]"]')), catalog).cells
    assert same == plan(read(SUITE), catalog).cells
    assert other[0].backbone is not None
    assert other[0].backbone.name == "toy[blocks=2]"


def test_a_space_that_does_not_fit_is_the_suites_mistake(read, catalog):
    with pytest.raises(SuiteError, match="lrr: no such hyperparameter"):
        plan(read(SUITE.replace("lr = 0.5", "lrr = 0.5")), catalog)


@pytest.mark.parametrize(
    ("strategy", "key", "message"),
    [
        (
            "sized",
            "batch",
            r"; batch is a parameter of the strategy: name it sized\[batch=\.\.\.\], or give --set batch",
        ),
        ("toy-tune", "max_steps", r"; max_steps belongs in \[protocol\]$"),
        ("toy-tune", "lrr", r"lrr: no such hyperparameter; the strategy has .*lr[^;]*$"),
    ],
)
def test_a_key_of_a_space_that_belongs_elsewhere_is_sent_there(read, strategy, key, message):
    text = f'[[cells]]\ntasks=["toy-tone"]\nbackbones=["toy"]\nstrategies=["{strategy}"]\n[space.{strategy}]\n{key}=1'
    module = types.ModuleType("sized")
    module.tlbench_strategies = hookimpl(lambda: [Sized()])
    catalog = Catalog.discover([Plugin("toys", "1.0", "toys", toy_plugin), Plugin("sized", "1.0", "main", module)])
    with pytest.raises(SuiteError, match=message):
        plan(read(text), catalog)


def test_unknown_names_come_with_the_nearest(read, catalog):
    with pytest.raises(UnknownName, match=r"unknown strategy 'toy-fitt'; did you mean toy-fit"):
        plan(read(SUITE.replace('"toy-fit"', '"toy-fitt"')), catalog)


def test_an_impossible_combination_is_skipped_with_its_reason(read, catalog, monkeypatch):
    monkeypatch.setattr("tlbench.testing.toys.ToyTask.modality", "image")
    planned = plan(read(SUITE), catalog)
    reasons = {skip.title: skip.reason for skip in planned.skips}
    assert reasons["toy | toy-tone | toy-fit"] == "the backbone reads text and the task is image"


def test_a_plugin_that_fails_while_planning_skips_its_cells_alone(read, catalog, monkeypatch):
    monkeypatch.setattr("tlbench.testing.toys.ToyFit.supports", lambda self, backbone, task: 1 / 0)
    planned = plan(read(SUITE), catalog)
    assert all("ZeroDivisionError" in skip.reason for skip in planned.skips)
    assert {skip.title for skip in planned.skips} >= {"toy | toy-tone | toy-fit"}
    assert any(cell.strategy.name == "toy-majority" for cell in planned.cells)


def test_what_needs_another_task_s_data_is_skipped_with_its_reason(read, catalog, monkeypatch):
    monkeypatch.setattr("tlbench.testing.toys.ToyFit.needs", lambda self: ("backbone:toy", "task:not-installed"))
    planned = plan(read(SUITE), catalog)
    reasons = {skip.title: skip.reason for skip in planned.skips}
    assert reasons["toy | toy-tone | toy-fit"].startswith("it needs task:not-installed: unknown task 'not-installed'")
    assert [cell.title for cell in planned.cells] == ["- | toy-tone | toy-majority"]


def test_a_teacher_that_does_not_suit_the_task_is_a_reason_to_skip(read, catalog, monkeypatch):
    monkeypatch.setattr("tlbench.testing.toys.ToyFit.needs", lambda self: ("backbone:toy[width=24]",))
    monkeypatch.setattr(
        "tlbench.testing.toys.ToyFit.accepts",
        lambda self, need, item, task: f"{need} of {item.width} counts badly" if task.name == "toy-count" else None,
    )
    suite = read('[[cells]]\ntasks=["toy-tone","toy-count"]\nbackbones=["toy"]\nstrategies=["toy-fit"]\n')
    planned = plan(suite, catalog)
    assert [skip.reason for skip in planned.skips] == [
        "it needs backbone:toy[width=24]: backbone:toy[width=24] of 24 counts badly"
    ]
    assert len(planned.cells) == 1
    monkeypatch.setattr(type(catalog.backbone("toy[width=24]").item), "supports", lambda self, output: "it is mute")
    assert {skip.reason.rpartition(": ")[2] for skip in plan(suite, catalog).skips} >= {"it is mute"}


def titles(suite, catalog, **selection):
    return [cell.title for cell in plan(suite, catalog, Selection(**selection)).cells]


def test_the_command_line_selects_replaces_and_adds(read, catalog):
    suite = read(SUITE)
    assert titles(suite, catalog, tasks=("toy-count",)) == ["toy | toy-count | toy-fit", "toy | toy-count | toy-tune"]
    # The baseline stays in a table of other backbones and strategies, unless it is chosen from itself.
    baseline = "- | toy-tone | toy-majority"
    assert titles(suite, catalog, strategies=("toy-fit",), tasks=("toy-tone",)) == [
        "toy | toy-tone | toy-fit", baseline,
    ]  # fmt: skip
    assert titles(suite, catalog, backbones=("toy[blocks=1]",), tasks=("toy-tone",), strategies=("toy-fit",)) == [
        "toy[blocks=1] | toy-tone | toy-fit", baseline,
    ]  # fmt: skip
    assert baseline in titles(suite, catalog, backbones=("toy[blocks=1]",))
    assert titles(suite, catalog, strategies=("toy-majority",)) == [baseline]
    assert len(titles(suite, catalog, backbones=("+toy[blocks=1]",))) == 9
    added = plan(suite, catalog, Selection(strategies=("+toy-majority",)))
    # It has nothing to search, however many trials the suite grants.
    assert Protocol(max_steps=10) in {cell.protocol for cell in added.cells if cell.strategy.name == "toy-majority"}


def test_the_command_lines_protocol_wins(read, catalog):
    cells = plan(read(SUITE), catalog, Selection(protocol=Patch(trials=2, seeds=(5,), max_steps=3))).cells
    protocol = Protocol(trials=2, seeds=(5,), max_steps=3)
    one_trial = msgspec.structs.replace(protocol, trials=1)
    assert {(cell.strategy.name, cell.protocol) for cell in cells} == {
        ("toy-fit", protocol), ("toy-tune", protocol), ("toy-majority", one_trial),
    }  # fmt: skip


def test_trials_make_no_other_cell_where_there_is_nothing_to_search(read, catalog):
    def ids(trials, **space):
        suite = msgspec.structs.replace(read(SUITE), space={"toy-fit": space} if space else {})
        cells = plan(suite, catalog, Selection(protocol=Patch(trials=trials))).cells
        return {(cell.title, cell.protocol.max_steps): cell.id for cell in cells}

    few, many = ids(2), ids(9)
    assert {title[0].split()[-1] for title in few if few[title] == many[title]} == {"toy-majority"}
    few, many = ids(2, lr=0.01, steps=4), ids(9, lr=0.01, steps=4)
    assert {title[0].split()[-1] for title in few if few[title] == many[title]} == {"toy-majority", "toy-fit"}


def test_a_protocol_that_cannot_be_is_the_users_mistake(read, catalog):
    with pytest.raises(UsageError, match="a seed is repeated"):
        plan(read(SUITE), catalog, Selection(protocol=Patch(seeds=(5, 5))))


def test_a_plan_survives_json(read, catalog):
    planned = plan(read(SUITE), catalog)
    assert msgspec.json.decode(msgspec.json.encode(planned), type=type(planned)) == planned


def test_a_name_means_the_same_beside_any_other_option(read, catalog):
    # toy-majority is the suite's: naming it beside a backbone must not move it into another block's protocol.
    cells = plan(read(SUITE), catalog, Selection(backbones=("toy",), strategies=("toy-majority",))).cells
    assert {cell.protocol for cell in cells} == {Protocol(trials=1, seeds=(0, 1, 2), epochs=2)}
    with pytest.raises(UsageError, match="no cell matches this selection"):
        plan(read(SUITE), catalog, Selection(tasks=("toy-count",), strategies=("toy-majority",)))


def test_a_space_of_an_unknown_strategy_is_refused(read, catalog):
    with pytest.raises(SuiteError, match=r"space.toy-fti: unknown strategy"):
        plan(read(SUITE.replace("[space.toy-fit]", "[space.toy-fti]")), catalog)


@pytest.mark.parametrize("in_space", ["toy-fit", "toys/toy-fit"])
@pytest.mark.parametrize("in_block", ["toy-fit", "toys/toy-fit"])
def test_a_space_may_be_given_with_the_distribution_or_without(read, catalog, in_space, in_block):
    text = SUITE.replace('"toy-fit"', f'"{in_block}"').replace("[space.toy-fit]", f'[space."{in_space}"]')
    assert plan(read(text), catalog).cells[0].space == {"lr": 0.5}


def test_a_space_may_be_given_under_the_full_name(read, catalog):
    text = SUITE.replace('"toy-fit", "toy-tune"', '"toy-failing[share=0.5]"').replace("[space.toy-fit]", "[space.X]")
    from tlbench.testing import faults

    both = Catalog.discover([Plugin("toys", "1", "t", toy_plugin), Plugin("faults", "1", "f", faults)])
    named = plan(read(text.replace("[space.X]", '[space."toy-failing[share=0.5]"]')), both).cells[0]
    assert named.space == {"lr": 0.5}
