"""Needs of strategies: planned, passed to fits, part of the identity, and recorded."""

from __future__ import annotations

import pytest

from tests.running.conftest import Runs
from tlbench.contracts.errors import UsageError
from tlbench.planning.plan import plan
from tlbench.planning.suite import Suite, SuiteBlock
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyTask


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tests.running.needs_plugin")
    return Runs(tmp_path / "out")


def test_a_teacher_is_loaded_with_its_own_features_and_head(runs):
    record = runs.one("toy-distil", trials=1, seeds=1, max_steps=2)
    assert record.status == "ok", record.reason
    assert record.fits[0].notes["width"] == 32
    assert [need.name for need in record.cell.needs] == ["backbone:toy-wide"]


def test_another_task_s_labelled_data_are_read_by_the_cell_s_backbone(runs):
    record = runs.one("toy-intermediate", trials=1, seeds=1, max_steps=2)
    assert record.status == "ok", record.reason
    assert record.fits[0].notes["rows"] == 40
    assert [need.name for need in record.cell.needs] == ["task:toy-source"]
    assert {"toy-source train", "train", "test"} <= record.provenance.data.keys()


def test_what_is_needed_is_part_of_identity(runs):
    one, other = (runs.plan([name]).cells[0] for name in ("toy-intermediate", "toy-intermediate[source=toy-leaky]"))
    assert one.id != other.id
    assert {need.name for need in (*one.needs, *other.needs)} == {"task:toy-source", "task:toy-leaky"}


def test_test_examples_among_another_task_s_training_data_are_counted(runs):
    record = runs.one("toy-intermediate[source=toy-leaky]", trials=1, seeds=1, max_steps=2)
    assert record.status == "ok", record.reason
    assert record.overlap["task:toy-leaky"] == 32
    assert runs.one("toy-intermediate", trials=1, seeds=1, max_steps=2).overlap["task:toy-source"] == 0


@pytest.mark.parametrize(("strategy", "reason"), [
    ("toy-distil[teacher=toy-huge]", "it needs backbone:toy-huge: unknown backbone 'toy-huge'"),
    ("toy-intermediate[source=toy-gone]", "it needs task:toy-gone: unknown task 'toy-gone'"),
    ("toy-intermediate[source=toy-away]", "it needs task:toy-away: its file is not here"),
])  # fmt: skip
def test_what_cannot_be_had_skips_the_cell_with_its_reason(runs, strategy, reason):
    with pytest.raises(UsageError) as raised:
        runs.plan([strategy])
    assert reason in str(raised.value)


def test_what_was_not_declared_is_not_given(runs):
    record = runs.one("toy-distil[asks=toy]", trials=1, seeds=1, max_steps=2)
    assert record.status == "failed"
    assert "reads backbone:toy, which its needs() do not name" in record.reason


def test_a_strategy_cannot_need_the_task_that_it_is_fitted_on(runs):
    with pytest.raises(UsageError, match="it needs task:toy-tone, the task it is fitted on"):
        runs.plan(["toy-intermediate[source=toy-tone]"])


def _skipped(runs):
    """Returns why the only cell of a suite is skipped."""
    block = SuiteBlock(tasks=("toy-tone",), strategies=("toy-fit",), backbones=("toy",))
    (skip,) = plan(Suite((block,), "toys"), runs.catalog).skips
    return skip.reason


@pytest.mark.parametrize(("needs", "reason"), [
    (lambda self: "backbone:toy", "needs() returned 'backbone:toy', not a tuple such as"),
    (lambda self: None, "needs() returned None, not a tuple such as"),
    (lambda self: ("backbone:toy", 3), "needs() returned ('backbone:toy', 3), not a tuple such as"),
    (lambda self: ("toy",), "needs() says 'toy', which is neither backbone:<name> nor task:<name>"),
    (lambda self: ("task:",), "needs() says 'task:', which is neither"),
    (lambda self: ("task:toy\x1b[31m",), r"needs() says 'task:toy\x1b[31m', which holds control characters"),
    (lambda self: 1 / 0, "needs() raised ZeroDivisionError: division by zero"),
])  # fmt: skip
def test_needs_that_are_none_skip_the_cell_and_name_the_strategy(runs, monkeypatch, needs, reason):
    monkeypatch.setattr(ToyFit, "needs", needs)
    assert f"toy-fit: {reason}" in _skipped(runs)


@pytest.mark.parametrize(("owner", "method", "answer", "reason"), [
    (ToyFit, "supports", lambda self, backbone, task: 1 / 0, "toy-fit: supports() raised ZeroDivisionError"),
    (ToyFit, "supports", lambda self, backbone, task: True, "toy-fit: supports() returned True: it returns why not"),
    (ToyBackbone, "supports", lambda self, output: False, "toy: supports() returned False: it returns why not"),
    (ToyTask, "missing", lambda self: 1 / 0, "toy-tone: missing() raised ZeroDivisionError"),
])  # fmt: skip
def test_whoever_gives_no_reason_while_planning_is_named(runs, monkeypatch, owner, method, answer, reason):
    monkeypatch.setattr(owner, method, answer)
    assert reason in _skipped(runs)
