"""Plans and runs say which validation splits are carved from train, and how."""

from __future__ import annotations

import pytest

from tlbench.cli.browsing.show import _task
from tlbench.cli.plan import print_inferred
from tlbench.contracts.cell import Cell, Plan, Protocol, Ref
from tlbench.contracts.outputs import Classes, Scalar, Span
from tlbench.contracts.task import Task


class Carved(Task):
    """A task with published sizes and without a validation split."""

    modality, metrics = "text", ("accuracy",)

    def __init__(self, name, output, sizes):
        self.name, self.output, self.sizes = name, output, sizes


TASKS = {
    task.name: task
    for task in (
        Carved("classes", Classes(("a", "b")), {"train": 1000, "test": 10}),
        Carved("scalar", Scalar(), {"train": 30_000}),
        Carved("span", Span(), {"train": 5}),
        Carved("own", Span(), {"train": 5, "validation": 5}),
        Carved("unknown", Span(), {}),
    )
}


class Shelf:
    """A catalog of these tasks."""

    @staticmethod
    def pinned():
        return {}

    @staticmethod
    def task(name):
        return type("Found", (), {"item": TASKS[name]})


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("classes", "classes: validation: 200 of 1,000 training rows carved by seed 0, stratified by class\n"),
        ("scalar", "scalar: validation: 2,000 of 30,000 training rows carved by seed 0, stratified by decile\n"),
        ("span", "span: validation: 1 of 5 training rows carved by seed 0\n"),
        ("own", ""),
        ("unknown", ""),
    ],
)
def test_a_carve_is_said_without_reading_the_data(name, line, capsys):
    cell = Cell(Ref(name), Ref("majority"), Protocol())
    print_inferred(Plan("suite", (cell, cell)), Shelf())
    assert capsys.readouterr().err == line


def test_a_task_whose_sizes_are_unknown_is_not_read_to_be_shown():
    unknown = "its own, or else carved from train: 20%, at most 2,000, by seed 0"
    assert dict(_task(TASKS["unknown"]))["validation"] == unknown
    assert dict(_task(TASKS["own"]))["validation"] == ""
    assert dict(_task(TASKS["classes"]))["validation"].startswith("200 of 1,000 training rows carved")
