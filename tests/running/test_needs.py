"""Needs of strategies: planned, passed to fits, part of the identity, and recorded."""

from __future__ import annotations

import pytest

from tests.running.conftest import Runs
from tlbench.contracts.errors import UsageError


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tests.running.needs_plugin")
    return Runs(tmp_path / "out")


def test_a_teacher_is_loaded_with_its_own_features_and_head(runs):
    record = runs.one("distil", trials=1, seeds=1, max_steps=2)
    assert record.status == "ok", record.reason
    assert record.fits[0].notes["width"] == 32
    assert [need.name for need in record.cell.needs] == ["backbone:toy-wide"]


def test_another_task_s_labelled_data_are_read_by_the_cell_s_backbone(runs):
    record = runs.one("intermediate", trials=1, seeds=1, max_steps=2)
    assert record.status == "ok", record.reason
    assert record.fits[0].notes["rows"] == 40
    assert [need.name for need in record.cell.needs] == ["task:toy-source"]
    assert {"toy-source train", "train", "test"} <= record.provenance.data.keys()


def test_what_is_needed_is_part_of_identity(runs):
    one, other = (runs.plan([name]).cells[0] for name in ("intermediate", "intermediate[source=toy-leaky]"))
    assert one.id != other.id
    assert {need.name for need in (*one.needs, *other.needs)} == {"task:toy-source", "task:toy-leaky"}


def test_test_examples_among_another_task_s_training_data_are_counted(runs):
    record = runs.one("intermediate[source=toy-leaky]", trials=1, seeds=1, max_steps=2)
    assert record.status == "ok", record.reason
    assert record.overlap["task:toy-leaky"] == 32
    assert runs.one("intermediate", trials=1, seeds=1, max_steps=2).overlap["task:toy-source"] == 0


@pytest.mark.parametrize(("strategy", "reason"), [
    ("distil[teacher=toy-huge]", "it needs backbone:toy-huge: unknown backbone 'toy-huge'"),
    ("intermediate[source=toy-gone]", "it needs task:toy-gone: unknown task 'toy-gone'"),
    ("intermediate[source=toy-away]", "it needs task:toy-away: its file is not here"),
])  # fmt: skip
def test_what_cannot_be_had_skips_the_cell_with_its_reason(runs, strategy, reason):
    with pytest.raises(UsageError) as raised:
        runs.plan([strategy])
    assert reason in str(raised.value)


def test_what_was_not_declared_is_not_given(runs):
    record = runs.one("distil[asks=toy]", trials=1, seeds=1, max_steps=2)
    assert record.status == "failed"
    assert "reads backbone:toy, which its needs() do not name" in record.reason
