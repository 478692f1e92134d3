"""A long plan: looked up once, printed whole, and quick for what its size is."""

import pytest

from tlbench.catalog.catalog import Catalog
from tlbench.catalog.discovery import Plugin
from tlbench.cli.plan import print_plan
from tlbench.planning.plan import plan
from tlbench.planning.suite import Suite, SuiteBlock
from tlbench.testing import toy_plugin
from tlbench.testing.toys import ToyFit


@pytest.fixture
def catalog():
    return Catalog.discover([Plugin("toys", "1.0", "toys", toy_plugin)])


@pytest.fixture
def suite():
    backbones = tuple(f"toy[weights={i}]" for i in range(101))
    tasks = tuple(f"toy-tone[draw={i}]" for i in range(2))
    return Suite((SuiteBlock(tasks=tasks, strategies=("toy-fit", "toy-tune"), backbones=backbones),), name="long")


def test_needs_of_a_strategy_are_read_once(suite, catalog, monkeypatch):
    calls = []

    def needs(self):
        calls.append(self.name)
        return ("backbone:toy",)

    monkeypatch.setattr(ToyFit, "needs", needs)
    cells = plan(suite, catalog).cells
    assert sorted(calls) == ["toy-fit", "toy-tune"]
    assert {cell.needs[0].name for cell in cells} == {"backbone:toy"}
    assert len({cell.id for cell in cells}) == 404


def test_a_long_plan_is_printed_whole_in_columns(suite, catalog, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    planned = plan(suite, catalog)
    print_plan(planned, tmp_path / "nothing")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 202 + 2
    assert lines[0].split() == ["backbone", "strategy", "tasks", "protocol", "done"]
    assert lines[1].split() == "toy[weights=0] toy-fit toy-tone, toy-tone[draw=1] not searched, 1 seed 0/2".split()
    assert len({line.index("not searched") for line in lines[1:-1]}) == 1
    assert lines[-1] == "long: 404 cells, 0 done, 0 skipped"
    print_plan(planned, tmp_path / "nothing", cells=True)
    assert planned.cells[-1].id in capsys.readouterr().out.splitlines()[-2]


def test_hostile_names_of_a_long_plan_reach_no_terminal(suite, catalog, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tlbench.cli.plan.protocol_text", lambda protocol: "\x1b[31mred\x07")
    print_plan(plan(suite, catalog), tmp_path / "nothing")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert shown.count("red") == 202
