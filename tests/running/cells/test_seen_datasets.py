"""Tests of the mark of cells whose backbone was trained on data of their task."""

from __future__ import annotations

import dataclasses

import pytest

from tlbench.cli.plan import print_plan
from tlbench.planning.seen_datasets import seen_datasets
from tlbench.results.leaderboard import frame
from tlbench.results.notes.row_notes import is_statement
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyTask


@pytest.fixture
def trained(monkeypatch):
    """The toy backbone's card names a data set of toy-tone."""
    card = ToyBackbone.card
    monkeypatch.setattr(
        ToyBackbone, "card", lambda self: dataclasses.replace(card(self), trained_on=("x", "org/Tones"))
    )
    monkeypatch.setattr(ToyTask, "datasets", ("tones",))


def test_a_record_says_what_its_backbone_was_trained_on(runs, trained):
    seen, other, constant = (
        runs.one(strategy, tasks=(task,), backbones=backbones)
        for strategy, task, backbones in (
            ("toy-fit", "toy-tone", ("toy",)),
            ("toy-fit", "toy-count", ("toy",)),
            ("toy-majority", "toy-tone", ()),
        )
    )
    assert seen.seen_datasets == ("org/Tones",)
    assert other.seen_datasets == constant.seen_datasets == ()
    notes = [note for text in frame([seen, other, constant])["notes"] for note in text.split("; ")]
    (note,) = [note for note in notes if "trained on" in note]
    assert note == "backbone trained on data of this task: org/Tones (whether on its test examples is unknown)"
    assert is_statement(note)


def test_random_weights_have_seen_nothing(runs, trained, monkeypatch):
    monkeypatch.setattr(ToyFit, "knows_nothing", True)
    assert runs.one("toy-fit").seen_datasets == ()


def test_a_card_that_raises_stops_no_run(runs, trained, monkeypatch):
    planned = runs.plan(["toy-fit"])
    monkeypatch.setattr(ToyBackbone, "card", lambda self: 1 / 0)
    assert seen_datasets(runs.catalog, planned.cells[0]) == ()


def test_a_plan_says_it_once_for_each_backbone_and_task(runs, trained, tmp_path, capsys):
    print_plan(runs.plan(["toy-fit", "toy-tune"]), tmp_path / "none", catalog=runs.catalog)
    lines = [line for line in capsys.readouterr().out.splitlines() if "trained on" in line]
    assert lines == ["toy was trained on data of toy-tone: org/Tones (whether on its test examples is unknown)"]


def test_ids_of_cells_do_not_depend_on_it(runs, trained, monkeypatch):
    planned = runs.plan(["toy-fit"])
    monkeypatch.setattr(ToyTask, "datasets", ())
    assert runs.plan(["toy-fit"]).cells == planned.cells
