"""The command of a cell's page plans that cell again."""

from __future__ import annotations

import re
import shlex

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.cli.app import _main
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.space import Range
from tlbench.results.render.commands.repeating import narrowed_space, repeat_command


@pytest.fixture
def cell(monkeypatch, tmp_path):
    """A function that returns a cell with this protocol and the versions of the installed toys."""
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    monkeypatch.chdir(tmp_path)
    catalog = Catalog.discover()

    def cell(space, **protocol):
        names = (catalog.task("toy-tone"), catalog.strategy("toy-fit"), catalog.backbone("toy"))
        task, strategy, backbone = (found.ref for found in names)
        return Cell(task, strategy, Protocol(**protocol), backbone, space=space)

    return cell


@pytest.mark.parametrize(
    ("space", "protocol"),
    [
        ({}, {"trials": 3, "seeds": (0, 1)}),
        ({}, {"seeds": (7,), "shots": 4, "epochs": 1.5}),
        ({}, {"trials": 4, "seeds": (3, 5), "train_fraction": 0.25, "sampler": "random", "validation": "whole"}),
        ({}, {"trials": 4, "folds": 3, "final": "train+validation", "max_steps": 5}),
    ],
)
def test_it_plans_the_same_cell(cell, space, protocol, capsys):
    one = cell(space, **protocol)
    program, run, *arguments = shlex.split(repeat_command(one))
    assert (program, run) == ("tlbench", "run")
    assert _main(["plan", "--cells", *arguments]) == 0
    assert re.findall(r"\b[0-9a-f]{16}\b", capsys.readouterr().out) == [one.id]


def test_what_a_suite_set_is_an_option_if_it_can_be_and_else_told(cell):
    one = cell({"lr": Range(0.001, 0.01), "steps": 5, "kind": ["a", "b"], "mode": "x"}, trials=2)
    command = repeat_command(one)
    assert "--set steps=5 --set mode=x" in command
    assert "lr" not in command
    assert narrowed_space(one) == 'lr = { low = 0.001, high = 0.01 }, kind = ["a","b"]'


def test_names_are_quoted_for_the_shell():
    one = Cell(Ref("csv:a b.csv[text=x]"), Ref("$(rm -rf .)"), Protocol())
    assert shlex.split(repeat_command(one))[2:6] == ["-t", "csv:a b.csv[text=x]", "-S", "$(rm -rf .)"]
