"""A strategy that is new to a suite gets the protocol of the suite's blocks; runs without a suite get baselines."""

import msgspec
import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.cli.options import planned
from tlbench.contracts.errors import UsageError
from tlbench.planning.baselines import baseline_blocks
from tlbench.planning.plan import plan
from tlbench.planning.selection import Selection
from tlbench.planning.suite import Patch, Suite, SuiteBlock
from tlbench.testing import faults, toy_plugin
from tlbench.testing.toys import ToyGuess, ToyMajority

PROBE = SuiteBlock(("toy-tone", "toy-count"), ("toy-failing[share=0.5]",), ("toy", "toy[blocks=2]"), Patch(trials=8))
TUNE = SuiteBlock(("toy-tone",), ("toy-tune", "toy-fit"), ("toy",), Patch(max_steps=96))
BASELINE = SuiteBlock(("toy-tone",), ("toy-majority",), protocol=Patch(seeds=3))


@pytest.fixture
def catalog():
    return Catalog.discover([Plugin("toys", "1", "toys", toy_plugin), Plugin("faults", "1", "faults", faults)])


def new_cells(catalog, strategy, *blocks, **selection):
    suite = Suite(blocks, "toys")
    given = selection.pop("strategies", ())
    cells = plan(suite, catalog, Selection(strategies=(*given, f"+{strategy}"), **selection)).cells
    return [cell for cell in cells if cell.strategy.name == strategy]


def test_an_added_strategy_has_the_protocol_of_the_blocks_it_stands_in(catalog):
    (cell,) = new_cells(catalog, "toy-oom", TUNE, BASELINE)
    assert (cell.protocol.max_steps, cell.backbone.name, cell.task.name) == (96, "toy", "toy-tone")
    assert cell.protocol.seeds == (0,)


def test_of_two_protocols_the_user_chooses(catalog):
    with pytest.raises(UsageError) as caught:
        new_cells(catalog, "toy-oom", PROBE, TUNE)
    assert str(caught.value) == (
        "suite toys: toy-oom could run as toy-failing[share=0.5] (trials=8, no max_steps) or as toy-tune, toy-fit "
        "(trials=1, max_steps=96): give --like 'toy-failing[share=0.5]' or --like 'toy-tune'"
    )
    assert [cell.protocol.max_steps for cell in new_cells(catalog, "toy-oom", PROBE, TUNE, like="toy-fit")] == [96]
    assert len(new_cells(catalog, "toy-oom", PROBE, TUNE, like="toy-failing[share=0.5]")) == 4


def test_options_that_make_the_protocols_equal_leave_nothing_to_choose(catalog):
    cells = new_cells(catalog, "toy-oom", PROBE, TUNE, protocol=Patch(trials=1, max_steps=5))
    assert len(cells) == 4
    assert {cell.protocol.max_steps for cell in cells} == {5}


def test_beside_selected_strategies_it_joins_their_blocks(catalog):
    (cell,) = new_cells(catalog, "toy-oom", PROBE, TUNE, strategies=("toy-fit",))
    assert cell.protocol.max_steps == 96


def test_other_parameters_of_a_strategy_stand_in_its_block(catalog):
    cells = new_cells(catalog, "toy-failing[share=0.25]", PROBE, TUNE)
    assert len(cells) == 4
    assert {cell.protocol.trials for cell in cells} == {8}


def test_a_replacing_strategy_has_the_protocol_of_what_it_replaces(catalog):
    cells = plan(Suite((TUNE, BASELINE), "toys"), catalog, Selection(strategies=("toy-oom",))).cells
    assert [(cell.strategy.name, cell.protocol.max_steps) for cell in cells] == [
        ("toy-majority", None),
        ("toy-oom", 96),
    ]


def test_a_strategy_without_a_backbone_joins_the_baselines(catalog, monkeypatch):
    monkeypatch.setattr(ToyGuess, "uses_backbone", False)
    (cell,) = new_cells(catalog, "toy-guess", PROBE, TUNE, BASELINE)
    assert (cell.backbone, cell.protocol.seeds) == (None, (0, 1, 2))


@pytest.mark.parametrize("strategies", [("+toy-oom",), ()])
def test_like_names_a_strategy_of_the_suite_and_places_a_new_one(catalog, strategies):
    with pytest.raises(UsageError, match="--like toy-guess: "):
        plan(Suite((TUNE,), "toys"), catalog, Selection(strategies=strategies, like="toy-guess"))


@pytest.fixture
def trivial(catalog, monkeypatch):
    """The toy baselines count as such."""
    monkeypatch.setattr(ToyMajority, "is_baseline", True)
    return catalog


def titles(catalog, suite=None, **selection):
    return [cell.title for cell in planned(catalog, suite, Selection(**selection)).cells]


def test_a_run_without_a_suite_has_the_baselines_that_support_its_tasks(trivial):
    own = {"strategies": ("toy-fit",), "backbones": ("toy",), "tasks": ("toy-tone", "toy-span")}
    blocks = baseline_blocks(trivial, own["tasks"])
    assert ("toy-majority" in blocks[0].strategies, any("toy-majority" in b.strategies for b in blocks[1:])) == (
        True,
        False,
    )
    shown = titles(trivial, **own)
    assert "- | toy-tone | toy-majority" in shown
    assert titles(trivial, **own, baselines=False) == ["toy | toy-tone | toy-fit", "toy | toy-span | toy-fit"]
    named = {**own, "strategies": ("toy-fit", "toy-majority"), "tasks": ("toy-tone",)}
    assert titles(trivial, **named).count("- | toy-tone | toy-majority") == 1
    assert "- | toy-tone | toy-majority" in titles(trivial, **named, baselines=False)


def test_a_baseline_that_raises_is_left_out(trivial, monkeypatch):
    monkeypatch.setattr(ToyMajority, "supports", lambda self, backbone, task: 1 / 0)
    assert not any("toy-majority" in block.strategies for block in baseline_blocks(trivial, ["toy-tone"]))


def test_no_baseline_leaves_out_those_of_a_suite(trivial, monkeypatch):
    monkeypatch.setattr(ToyGuess, "uses_backbone", False)
    suite = Suite((TUNE, msgspec.structs.replace(BASELINE, strategies=("toy-majority", "toy-guess"))), "toys")

    def baselines(**selection):
        cells = plan(suite, trivial, Selection(baselines=False, **selection)).cells
        return [cell.strategy.name for cell in cells if cell.backbone is None]

    assert ToyGuess.is_baseline is False
    assert baselines() == ["toy-guess"]
    assert "toy-majority" in baselines(strategies=("toy-fit", "toy-majority"))


def test_a_backbone_that_is_not_on_this_machine_is_a_skip(catalog, monkeypatch):
    from dataclasses import replace

    from tlbench.testing.toys import ToyBackbone

    card = ToyBackbone.card
    monkeypatch.setattr(ToyBackbone, "card", lambda self: replace(card(self), on_disk=False))
    made = plan(Suite((TUNE, BASELINE), "toys"), catalog)
    assert [cell.title for cell in made.cells] == ["- | toy-tone | toy-majority"]
    assert {skip.reason for skip in made.skips} == {"toy is not on this machine: run `tlbench fetch --backbone toy`"}
    # Records are shown even where the weights are not.
    assert len(plan(Suite((TUNE, BASELINE), "toys"), catalog, here=False).cells) == 3
