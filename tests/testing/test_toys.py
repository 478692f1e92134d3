from __future__ import annotations

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Protocol
from tlbench.contracts.outputs import Classes
from tlbench.testing.conformance.every_plugin import heavy_imports
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toys import CUES, ENDINGS, OPENINGS, SUBJECTS, ToyBackbone, ToyFit, ToyScalarTask, ToyTask, ToyTune

PROTOCOL = Protocol(precision="fp32")


def test_toys_can_be_listed_and_configured_by_name(tlbench_toys):
    catalog = Catalog.discover()

    assert not [broken for broken in catalog.broken if "toy" in broken.plugin]
    assert catalog.backbone("toy[blocks=2,readout=first]").item == ToyBackbone(blocks=2, readout="first")
    assert catalog.task("toy-tone[train=16]").item == ToyTask(train=16)
    assert catalog.strategy("toy-majority").item.uses_backbone is False


def test_names_and_docstrings_are_not_parameters():
    assert ToyBackbone().name == "toy"
    with pytest.raises(TypeError):
        ToyBackbone(name="other")


@pytest.mark.parametrize("module", ["toy_plugin", "faults", "pytest_plugin", "jobs"])
def test_modules_are_light(module):
    heavy = (*heavy_imports.__defaults__[0], "numpy") if module != "jobs" else heavy_imports.__defaults__[0]
    assert heavy_imports(f"tlbench.testing.{module}", heavy) == ()


def test_words_have_hashes_of_their_own():
    from tlbench.contracts.task import Example, Examples
    from tlbench.testing.toy_encoder import featurize

    words = ["is", "not", *OPENINGS, *SUBJECTS, *ENDINGS, *CUES[0], *CUES[1]]
    rows = featurize(Examples(Example(word, (word,)) for word in words)).rows
    decisive = {tuple(row) for word, row in zip(words, rows, strict=True) if word in ("not", *CUES[0], *CUES[1])}
    assert len(decisive) == 13
    assert len({tuple(row) for row in rows}) >= len(words) - 2


def test_a_larger_split_extends_a_smaller_one():
    small, large = ToyTask(train=16).split("train"), ToyTask(train=64).split("train")
    assert large[:16].fingerprint == small.fingerprint
    assert ToyTask(draw=1).split("train").fingerprint != large.fingerprint


def test_too_large_a_split_is_refused():
    with pytest.raises(ValueError, match="different toy sentences"):
        ToyTask(train=20_000).split("train")


def test_tuning_learns_the_task_better_than_chance():
    task = ToyTask(train=256, validation=128)
    fitted = Rehearsal(ToyTune(), ToyBackbone(), task, PROTOCOL).fit({"lr": 0.01, "steps": 40})
    assert fitted.result.validation > 0.8
    probe = Rehearsal(ToyFit(), ToyBackbone(), task, PROTOCOL).fit({"lr": 0.05, "steps": 80})
    assert probe.result.validation > 0.6


def test_tuning_learns_numbers():
    task = ToyScalarTask(train=256, validation=128)
    fitted = Rehearsal(ToyTune(), ToyBackbone(), task, PROTOCOL).fit({"lr": 0.01, "steps": 40})
    assert fitted.result.validation > 0.8


def test_the_frozen_toy_trains_only_its_head():
    result = Rehearsal(ToyFit(), ToyBackbone(), ToyTask(), PROTOCOL).fit().result
    assert result.trainable_parameters == 16 * 2 + 2
    assert result.parameters > 20_000
    assert result.examples_seen == 64 * result.params["steps"]


def test_output_of_the_toy_is_what_the_names_say():
    task = ToyTask()
    assert isinstance(task.output, Classes)
    for example in task.split("test"):
        words = example.inputs[0].split()
        friendly = bool(set(words) & set(CUES[1])) != ("not" in words)
        assert task.output.names[example.target] == ("friendly" if friendly else "unfriendly")
        assert example.slices["kind"] == ("negated" if "not" in words else "plain")
