"""A plugin with a shelf of backbones and tasks of several kinds, to be browsed."""

from __future__ import annotations

import os
import sys

import pytest

from tlbench.cli.app import _main
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.fits.class_scores import ClassReport, ClassScore
from tlbench.contracts.record import Memory, Record
from tlbench.results.records.store import Store

ZOO = '''
from dataclasses import dataclass
from tlbench import *

@dataclass(frozen=True)
class Shelf(Backbone):
    name: str
    modality: str
    family: str
    parameters: int | None
    on_disk: bool = True

    def card(self):
        pinned = ("MIT", "a shelf of books", "org/shelf", "abc")
        return Card(self.family, self.parameters, 64, 3, *pinned, self.on_disk, 77)

@dataclass(frozen=True)
class Tags(Task):
    name = "zoo-tags"
    modality = "text"
    output = TokenClasses(("O", "B-PER", "I-PER"))
    metrics = ("entity_f1",)
    sizes = {"train": 3394, "test": 1287}
    source = "Zoo et al. 2020"
    licence = "CC BY 4.0"
    description = "who is who"

    def missing(self):
        return "zoo-tags is not here: set TLBENCH_DATA"

class Many(Tags):
    name = "zoo-many"
    output = Classes(tuple(f"class{i}" for i in range(77)))
    metrics = ("accuracy",)

    def missing(self):
        return None

class Tune(Strategy):
    """Tunes a little."""
    name = "zoo-tune"
    paper = "Zoo 2021"

    def space(self, about):
        return {"lr": Float(1e-5, 1e-3, log=True), "how": Choice(("all", "some")), "n": Int(1, 4)}

    def defaults(self, about):
        return {"lr": 1e-4}

    def fit(self, job):
        raise NotImplementedError

@hookimpl
def tlbench_backbones():
    return [
        Shelf("small-bert", "text", "bert", 11_000_000),
        Shelf("large-bert", "text", "roberta-BERT", 340_000_000, False),
        Shelf("little-net", "image", "resnet", 270_000),
        Shelf("unsized", "text", "bert", None),
    ]

@hookimpl
def tlbench_tasks():
    return [Tags(), Many()]

@hookimpl
def tlbench_strategies():
    return [Tune()]

class File(Many):
    name = "zoofile:my.csv"
    description = "2 classes, as its column says"

@hookimpl
def tlbench_resolve(kind, name):
    return File() if kind == "task" and name == "zoofile:my.csv" else None

@hookimpl
def tlbench_schemes():
    return {"zoo:<shelf>": "backbone", "zoofile:<path>": "task"}
'''


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """Installs the plugin, beside the toys."""
    (tmp_path / "zoo_of_tests.py").write_text(ZOO)
    monkeypatch.syspath_prepend(tmp_path)
    # An earlier test's module is of another folder.
    monkeypatch.delitem(sys.modules, "zoo_of_tests", raising=False)
    # For commands in processes of their own, which do not see sys.path.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,zoo_of_tests")
    # rich takes the width of tables from it, so that no cell wraps.
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TLBENCH_DATA", str(tmp_path))


@pytest.fixture
def output_of(capsys):
    """Returns a command's stdout with runs of spaces collapsed, or the one line on stderr of a user's mistake."""

    def call(*arguments, status=0):
        # Drops what fixtures have printed.
        capsys.readouterr()
        assert _main([str(argument) for argument in arguments]) == status
        captured = capsys.readouterr()
        if status == 2:
            assert captured.err.count("\n") == 1
            return captured.err
        return "\n".join(" ".join(line.split()) for line in captured.out.splitlines())

    return call


@pytest.fixture
def finished(tmp_path):
    """A stored record of two classes, and its cell."""
    cell = Cell(Ref("toy-tone"), Ref("toy-fit"), Protocol(), Ref("toy"))
    classes = (ClassScore("unfriendly", 0.5, 0.25, 0.33, 8), ClassScore("friendly", 0.75, 0.6, 0.66, 9))
    record = Record(
        cell,
        "ok",
        test_reads=1,
        parameters=1000,
        trainable_parameters=34,
        report=ClassReport(classes, ("unfriendly", "friendly"), ((0, 0, 2), (0, 1, 6), (1, 1, 9))),
        overlap={"train": 3, "validation": 0},
        memory=Memory(1 << 29, 1 << 30),
    )
    assert Store.create(tmp_path / "out").commit(record, tmp_path)
    return cell
