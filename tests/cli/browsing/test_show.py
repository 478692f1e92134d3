"""What `show` says of each kind of thing, and that looking is light."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import msgspec
import pytest

from tlbench import Backbone, Card, Float, When
from tlbench.cli.browsing.show import _backbone, _settable
from tlbench.cli.recorded.show_cell import memory_text
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.record import Memory, Record
from tlbench.contracts.resources import Resources
from tlbench.testing.conformance.every_plugin import HEAVY
from tlbench.testing.toy_spaces import ToyRule

pytestmark = pytest.mark.usefixtures("zoo")


def test_a_backbone_is_shown_with_its_card(output_of):
    shown = output_of("show", "large-bert")
    for line in (
        "family roberta-BERT", "parameters 340,000,000 (340.0M)", "width 64", "stages 3", "positions 77", "licence MIT",
        "pre-trained on a shelf of books", "source org/shelf", "revision abc",
    ):  # fmt: skip
        assert line in shown.splitlines()
    assert "on disk no: `tlbench fetch`" in shown
    assert "memory about 3.5 GiB frozen, 7.4 GiB with all of it trained" in shown
    assert "memory" not in output_of("show", "unsized")


def test_a_backbone_with_a_scheme_must_be_pinned_to_be_fetched():
    @dataclasses.dataclass(frozen=True)
    class Unpinned(Backbone):
        name: str = "zoo:net"
        revision: str = ""
        modality = "text"

        def card(self):
            return Card(revision=self.revision, on_disk=False)

    assert dict(_backbone(Unpinned()))["on disk"].startswith(
        "no: name it zoo:net@<commit>, and `tlbench fetch` downloads"
    )
    for known in (Unpinned(revision="abc"), Unpinned("net")):
        assert dict(_backbone(known))["on disk"].startswith("no: `tlbench fetch` downloads")


def test_a_backbone_s_own_message_says_what_to_install():
    class Packaged(Backbone):
        name = "packed"
        modality = "text"

        def card(self):
            return Card(on_disk=False)

        def missing(self):
            return "packed: pip install some-weights==1.0"

    assert dict(_backbone(Packaged()))["on disk"] == "no: packed: pip install some-weights==1.0"


def test_parameters_are_shown_with_the_help_that_they_have():
    @dataclasses.dataclass(frozen=True)
    class Plain:
        depth: int = 2
        exact: bool = False

    @dataclasses.dataclass(frozen=True)
    class Explained(Plain):
        text: str = dataclasses.field(default="", metadata={"help": "column of the text"})
        mark: str | None = dataclasses.field(default=None, metadata={"help": "what separates labels"})

    assert list(_settable(object())) == [("settable", "nothing")]
    assert list(_settable(Plain())) == [("settable", "depth=2, exact=false")]
    assert list(_settable(Explained(text="a,b"))) == [
        ("settable", "depth=2, exact=false"),
        ("  text", '"a,b": column of the text'),
        ("  mark", "not set: what separates labels"),
    ]


def test_a_task_is_shown_with_its_labels_sizes_and_what_is_missing(output_of):
    shown = output_of("show", "zoo-tags")
    for line in (
        "output token-classes: 3: O, B-PER, I-PER", "metrics entity_f1", "splits train 3,394, test 1,287",
        "validation 679 of 3,394 training rows carved by seed 0, stratified by rarest class",
        "source Zoo et al. 2020", "licence CC BY 4.0", "here no: zoo-tags is not here: set TLBENCH_DATA",
    ):  # fmt: skip
        assert line in shown.splitlines()
    assert "classes: 77: class0, class1," in output_of("show", "zoo-many")
    assert "class19, and 57 more" in " ".join(output_of("show", "zoo-many").split())


def test_a_strategy_is_shown_with_its_space_and_paper(output_of):
    shown = output_of("show", "zoo-tune").splitlines()
    assert "paper Zoo 2021" in shown
    assert "family other" in shown
    assert "lr 1e-05 to 0.001, log; first 0.0001" in shown
    assert "how one of all, some" in shown
    assert "n 1 to 4" in shown
    shown = output_of("show", "toy-majority").splitlines()
    assert "backbone uses none" in shown
    assert "family baseline" in shown


def test_a_strategy_is_shown_with_the_conditions_in_its_space(output_of, monkeypatch):
    shown = output_of("show", "toy-rule").splitlines()
    assert "rule one of majority, guess; first majority" in shown
    assert "guess 0 to 1; if rule is guess" in shown
    assert not [line for line in shown if line.startswith("rungs")]
    monkeypatch.setattr(ToyRule, "batch_size", 4)
    assert "it fits several settings in one pass" in output_of("show", "toy-rule")
    monkeypatch.setattr(ToyRule, "space", lambda self, about: When("rule", "guess", guess=Float(0, 1)))
    assert "space invalid: space()['guess'] depends on 'rule', which the space lacks" in output_of("show", "toy-rule")


def test_a_strategy_is_shown_with_the_first_setting_that_each_backbone_gets(output_of, monkeypatch):
    from zoo_of_tests import Tune

    def defaults(self, about):
        return {"lr": {"small-bert": 1e-4, "little-net": 1e-3}.get(about.backbone.name, 3e-5)}

    monkeypatch.setattr(Tune, "defaults", defaults)
    shown = output_of("show", "zoo-tune").splitlines()
    for line in (
        "1e-05 to 0.001, log; first 0.001 (little-net)", "1e-05 to 0.001, log; first 0.0001 (small-bert)",
        "with another backbone: `tlbench show zoo-tune --backbone NAME`",
    ):  # fmt: skip
        assert any(shown_line.endswith(line) for shown_line in shown)
    assert "n 1 to 4" in shown
    assert "lr 1e-05 to 0.001, log; first 0.0001" in output_of("show", "zoo-tune", "-b", "small-bert").splitlines()
    assert "lr 1e-05 to 0.001, log; first 3e-05" in output_of("show", "zoo-tune", "-b", "unsized").splitlines()
    # Only backbones of the task's modality.
    assert "little-net" not in output_of("show", "zoo-tune", "-t", "toy-tone")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small-bert", "-b", "small-bert"), "unknown strategy 'small-bert'"),
        (("toy-majority", "-b", "small-bert"), "--backbone small-bert: toy-majority uses no backbone"),
        (("zoo-tune", "-b", "small-brt"), "unknown backbone 'small-brt'; did you mean small-bert"),
        (("zoo-tune", "-t", "toy-tune"), "unknown task 'toy-tune'; it is a strategy"),
        (("zoo-tune", "-b", "small-bert", "-t", "toy-tone"), "zoo-tune with small-bert on toy-tone: not this one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_backbone_that_does_not_go_with_what_is_shown_is_one_line(output_of, monkeypatch, arguments, message):
    from zoo_of_tests import Tune

    monkeypatch.setattr(Tune, "supports", lambda self, backbone, task: "not this one")
    assert message in output_of("show", *arguments, status=2)


def test_a_suite_is_shown_with_its_cells_and_protocols(output_of, tmp_path):
    suite = tmp_path / "zoo.toml"
    suite.write_text(
        'description = "of the zoo"\n[protocol]\nseeds = 2\n[[cells]]\ntasks = ["toy-tone", "zoo-tags"]\n'
        'backbones = ["toy"]\nstrategies = ["toy-fit"]\nprotocol = {max_steps = 3}\n[[cells]]\ntasks = ["toy-tone"]\n'
        'strategies = ["toy-majority"]\n[space.toy-fit]\nlr = {low = 0.01, high = 0.02}\nsteps = [4, 8]\n'
    )
    shown = output_of("show", suite).splitlines()
    for line in (
        "about of the zoo", "cells 1 tasks toy-tone, zoo-tags", "strategies toy-fit", "backbones toy",
        "not searched, 2 seeds, 3 steps", "cells 2 tasks toy-tone",
        "space of toy-fit lr 0.01 to 0.02, steps one of 4, 8",
    ):  # fmt: skip
        assert line in shown
    assert any(line.startswith("plan 2 cells, 1 skipped") for line in shown)
    suite.write_text(suite.read_text().replace('["toy"]', '["toyy"]'))
    assert "plan not possible here: unknown backbone 'toyy'" in output_of("show", suite)


def test_a_suite_is_shown_with_its_published_scores(output_of, tmp_path):
    suite = tmp_path / "zoo.toml"
    suite.write_text(
        '[[cells]]\ntasks = ["labels"]\nstrategies = ["any"]\n[[references]]\ntask = "labels"\nstrategy = "any"\n'
        'metric = "accuracy"\nvalue = 0.79\nsetting = "9 draws"\nsource = "Somebody 2020"\nurl = "https://a.org/b"\n'
    )
    shown = output_of("show", suite)
    assert "published 1 accuracy 0.79 of - | labels | any: 9 draws" in shown
    assert "Somebody 2020: https://a.org/b" in shown


def test_a_record_shows_what_was_measured_beside_the_estimate():
    cell = Cell(Ref("t"), Ref("s"), Protocol(), Ref("b"))
    record = Record(cell, "ok", memory=Memory(host_baseline_bytes=1 << 20, host_peak_bytes=3 << 30))
    estimate = Resources(memory_bytes=1 << 30, host_bytes=1 << 29)
    assert memory_text(record, estimate) == "3.0 GiB at its peak, 1.0 MiB when the cell began; estimated 2.5 GiB"
    assert memory_text(record, None) == "3.0 GiB at its peak, 1.0 MiB when the cell began"
    own = msgspec.structs.replace(record, memory=Memory(1 << 20, 3 << 30, host_own_bytes=1 << 30))
    assert memory_text(own, estimate) == "1.0 GiB at its peak, beyond 1.0 MiB of a new worker; estimated 1.5 GiB"
    on_device = msgspec.structs.replace(record, memory=Memory(0, 3 << 30, 1 << 29, 1 << 30))
    assert memory_text(on_device, estimate) == "512.0 MiB at its peak on the device; estimated 1.0 GiB"
    assert memory_text(msgspec.structs.replace(record, memory=Memory()), estimate) == ""


def test_a_finished_cell_is_shown_and_outlives_its_plugins(output_of, tmp_path, monkeypatch, finished):
    arguments = ("show", finished.id, "--out", tmp_path / "out")
    for plugins in ("tlbench.testing.toy_plugin", ""):
        monkeypatch.setenv("TLBENCH_PLUGINS", plugins)
        shown = output_of(*arguments)
        for line in (
            "title toy | toy-tone | toy-fit",
            "test reads 1",
            "test examples 3 are also in train",
            "parameters 1,000, 34 of them trained",
            "memory 1.0 GiB at its peak, 512.0 MiB when the cell began",
        ):
            assert line in shown.splitlines()
        assert "unfriendly" in shown, "the report on classes"
    assert "no record of the cell 0123456789abcdef" in output_of(
        "show", "0123456789abcdef", "--out", tmp_path / "out", status=2
    )


def test_browsing_imports_nothing_heavy(finished, tmp_path):
    calls = [
        ["--help"], ["list"], ["list", "backbones", "--family", "bert"], ["list", "tasks", "--kind", "classes"],
        ["show", "small-bert"], ["show", "zoo-tags"], ["show", "zoo-tune"], ["show", "toy-majority"],
        ["show", finished.id, "--out", str(tmp_path / "out")],
        ["plan", "-t", "toy-tone", "-b", "toy", "-S", "toy-fit"], ["fetch", "--task", "toy-tone"],
    ]  # fmt: skip
    code = (
        "import sys; from tlbench.cli.app import _main\n"
        f"for call in {calls!r}:\n"
        f"    print('end', call, _main(call), sorted({set(HEAVY)!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert [line for line in done.splitlines() if line.startswith("end ")] == [f"end {call} 0 []" for call in calls]
