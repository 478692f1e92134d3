from __future__ import annotations

import subprocess
import sys

import pytest

from tlbench.contracts.cell import Protocol
from tlbench.contracts.errors import SealBroken
from tlbench.testing import faults, process_faults
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toys import ToyBackbone, ToyTask

PROTOCOL = Protocol(max_steps=4, precision="fp32")


def outcome(strategy, params=None, task=None):
    return Rehearsal(strategy, ToyBackbone(), task or ToyTask(), PROTOCOL).fit(params).result


@pytest.mark.parametrize(
    ("strategy", "status"),
    [
        (faults.FailingStrategy(), "failed"),
        (faults.DivergingStrategy(), "diverged"),
        (faults.DivergingStrategy(how="weights"), "diverged"),
        (faults.DivergingStrategy(how="scores"), "diverged"),
        (faults.OutOfMemoryStrategy(), "oom"),
        (faults.OutOfMemoryStrategy(where="host"), "oom"),
        (faults.PeekingStrategy(), "failed"),
        (faults.ShortStrategy(), "failed"),
        (faults.SlowStrategy(rounds=3), "ok"),
        (faults.ExitingStrategy(times=0), "ok"),
        (faults.MeddlingStrategy(structure=True), "ok"),
    ],
)
def test_a_fault_ends_as_its_status_says(strategy, status):
    result = outcome(strategy)
    assert result.status == status
    assert bool(result.reason) == (status != "ok")


def test_a_share_of_the_trials_fails():
    strategy = faults.FailingStrategy(share=0.5)
    assert outcome(strategy, {"lr": 0.01, "steps": 4, "x": 0.4}).status == "failed"
    assert outcome(strategy, {"lr": 0.01, "steps": 4, "x": 0.6}).status == "ok"


def test_the_sealed_task_opens_when_a_file_says_so(tmp_path, monkeypatch):
    reads = tmp_path / "reads"
    monkeypatch.setenv(faults.READS, str(reads))
    monkeypatch.setenv(faults.FROZEN, str(tmp_path / "**" / "winner.json"))
    with pytest.raises(SealBroken):
        faults.SealedTask().split("test")
    (tmp_path / "cell").mkdir()
    (tmp_path / "cell" / "winner.json").touch()
    assert faults.SealedTask().split("test").fingerprint == ToyTask().split("test").fingerprint
    assert faults.SealedTask().split("train") is not None
    assert reads.read_text().split() == ["test", "test", "train"]


def test_the_seal_is_never_open_without_a_pattern(monkeypatch):
    monkeypatch.delenv(faults.FROZEN, raising=False)
    with pytest.raises(SealBroken):
        faults.SealedTask().split("test")


def test_a_search_fit_does_not_read_the_sealed_split(tmp_path, monkeypatch):
    reads = tmp_path / "reads"
    monkeypatch.setenv(faults.READS, str(reads))
    assert outcome(faults.SlowStrategy(rounds=0), task=faults.SealedTask()).status == "ok"
    assert "test" not in reads.read_text().split()


def test_a_broken_task_raises_where_it_says():
    task = faults.BrokenTask(breaks="validation")
    assert task.split("train")
    with pytest.raises(OSError, match="validation"):
        task.split("validation")


def test_a_process_ends_as_often_as_it_should(tmp_path, monkeypatch):
    crashes = tmp_path / "crashes"
    monkeypatch.setenv(process_faults.CRASHED, str(crashes))
    script = "from tlbench.testing.faults import ExitingStrategy; ExitingStrategy(times=1).fit(None)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 139
    assert len(crashes.read_text().splitlines()) == 1
    assert outcome(faults.ExitingStrategy(times=1)).status == "ok"


def test_the_plugin_brings_them_all(tlbench_faults):
    from tlbench.catalog.catalog import Catalog

    names = {entry.name for kind in ("task", "strategy") for entry in Catalog.discover().entries(kind)}
    assert {"toy-sealed", "toy-broken", "toy-failing", "toy-exiting", "toy-fit"} <= names
