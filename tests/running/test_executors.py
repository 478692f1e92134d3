"""Processes that die, hang or are killed: every cell once, none lost."""

import os

import pytest

from tlbench.contracts.errors import UsageError
from tlbench.running import worker
from tlbench.testing.faults import CRASHED


def test_isolated_gives_what_inline_gives(runs, essence):
    strategies = ["toy-fit", "toy-tune", "toy-majority"]
    inline = runs.run(strategies, trials=3, seeds=2)
    isolated = runs.run(strategies, trials=3, seeds=2, executor="isolated", jobs=2, fresh="all")
    assert [essence(record) for record in isolated] == [essence(record) for record in inline]
    assert [record.attempt for record in isolated] == [2, 2, 2]


def test_a_crash_takes_no_other_cell_with_it(runs, tmp_path, monkeypatch):
    monkeypatch.setenv(CRASHED, str(tmp_path / "crashes"))
    records = runs.run(["toy-exiting", "toy-fit", "toy-slow"], executor="isolated", jobs=2)
    assert [record.status for record in records] == ["crashed", "ok", "ok"]
    assert "exited with status 139 3 times" in records[0].reason
    assert len((tmp_path / "crashes").read_text().split()) == 3


def test_a_cell_whose_worker_died_is_tried_again(runs, tmp_path, monkeypatch):
    monkeypatch.setenv(CRASHED, str(tmp_path / "crashes"))
    assert runs.one("toy-exiting[times=2]", executor="isolated").status == "ok"
    assert len((tmp_path / "crashes").read_text().split()) == 2


def test_a_hang_is_stopped(runs):
    record = runs.one("toy-slow[rounds=1000000000]", executor="isolated", max_seconds=2.0)
    assert record.status == "timeout"


def test_what_a_library_prints_reaches_no_screen(runs, capfd):
    runs.one("toy-fit", executor="isolated")
    assert capfd.readouterr() == ("", "")


def _cannot_start(log, slots, threads):
    os._exit(3)


def test_workers_that_cannot_start_end_the_run_with_one_line(runs, monkeypatch):
    monkeypatch.setattr(worker, "start", _cannot_start)
    with pytest.raises(UsageError, match=r"^the workers could not start .*; see .*workers\.log$") as raised:
        runs.one("toy-fit", executor="isolated")
    assert "\n" not in str(raised.value)
    assert list(runs.store.records()) == []
