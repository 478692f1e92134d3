"""Processes that die, hang or are killed: every cell once, none lost."""

import os

import pytest

from tlbench import Card
from tlbench.contracts.errors import UsageError
from tlbench.contracts.executor import CellOrder
from tlbench.running import worker
from tlbench.testing.faults import CRASHED, MET


def test_isolated_gives_what_inline_gives(runs, essence):
    strategies = ["toy-fit", "toy-tune", "toy-majority"]
    inline = runs.run(strategies, trials=3, seeds=2)
    isolated = runs.run(strategies, trials=3, seeds=2, executor="isolated", jobs=2, fresh="all")
    assert [essence(record) for record in isolated] == [essence(record) for record in inline]
    assert [record.attempt for record in isolated] == [2, 2, 2]


@pytest.fixture
def met(tmp_path, monkeypatch):
    path = tmp_path / "met"
    monkeypatch.setenv(MET, str(path))
    return path


def test_idle_workers_take_fits_of_a_cell_that_is_not_theirs(runs, essence, met):
    shared = runs.one("toy-meeting[processes=2]", trials=4, seeds=3, executor="isolated", jobs=2)
    assert shared.status == "ok"
    assert len(set(met.read_text().split())) == 2
    assert len(met.read_text().split()) == 4 + 2  # the winner's own fit counts as the first seed's
    assert shared.memory.host_peak_bytes > shared.memory.host_baseline_bytes
    alone = runs.one("toy-meeting[processes=2]", trials=4, seeds=3, fresh="all")
    assert essence(alone) == essence(shared)


def test_a_helper_that_dies_costs_the_fit_it_was_at_and_nothing_else(runs, tmp_path, monkeypatch):
    monkeypatch.setenv(CRASHED, str(tmp_path / "crashes"))
    shared = runs.one("toy-exiting[times=2]", trials=6, seeds=2, executor="isolated", jobs=2)
    assert shared.status == "ok"
    assert [trial.status for trial in shared.trials] == ["ok"] * 6
    assert len((tmp_path / "crashes").read_text().split()) == 2


def test_a_pruner_keeps_the_search_in_one_process(runs):
    record = runs.one("toy-fit", trials=4, pruner="median", executor="isolated", jobs=2)
    assert [trial.status for trial in record.trials] == ["ok"] * 4


def test_there_are_no_more_workers_than_fits(runs):
    from tlbench.running.run import Settings, jobs_for

    def jobs(strategy, **protocol):
        return jobs_for(runs.plan([strategy], **protocol).cells, runs.catalog, Settings(jobs=8, device="cpu"))

    assert jobs("toy-fit", trials=1, seeds=1) == 1
    assert jobs("toy-fit", trials=1, seeds=3) == 3
    assert jobs("toy-fit", trials=5, seeds=1) == 5
    assert jobs("toy-fit", trials=5, seeds=1, pruner="median") == 1
    assert jobs("toy-fit", trials=5, seeds=3, tasks=("toy-tone", "toy-count")) == 8
    assert jobs("toy-majority", trials=1, seeds=3) == 1


def test_who_takes_no_jobs_runs_on_all_cores_unless_workers_were_counted(runs, monkeypatch):
    from tlbench.running.run import Settings, orders_of

    monkeypatch.setattr("tlbench.running.run.cores", lambda: 8)
    monkeypatch.setattr("tlbench.running.machine.cores", lambda: 8)
    planned = runs.plan(["toy-fit"], trials=8)

    def threads(executor, jobs=None):
        (order,) = orders_of(planned, runs.store, runs.catalog, Settings(executor, jobs, "cpu"))
        return order.threads

    assert threads("isolated") == 1
    assert threads("inline") == 8
    assert threads("inline", jobs=4) == threads("isolated", jobs=4) == 2


def test_no_more_workers_start_than_find_room_unless_they_were_counted(runs, monkeypatch):
    from tlbench.planning.memory import WORKER_BYTES, Room
    from tlbench.running import machine
    from tlbench.running.run import Settings, jobs_for, jobs_of
    from tlbench.testing.toys import ToyBackbone

    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(machine, "memory_bytes", lambda: None)
    monkeypatch.setattr(ToyBackbone, "card", lambda self: Card(parameters=WORKER_BYTES // 4))
    cells = runs.plan(["toy-fit"], trials=8).cells
    needed = 6 * WORKER_BYTES  # itself, weights, their gradients and two moments, a pristine copy

    def jobs(room, count=None):
        return jobs_for(cells, runs.catalog, Settings(jobs=count, device="cpu", room=room))

    assert jobs(None) == 4
    assert jobs(Room(2 * needed)) == 2
    assert jobs(Room(needed)) == 1
    assert jobs(Room(9 * needed)) == 4
    assert jobs(Room(needed), count=3) == 3
    # What is left of a plan may be small; threads were counted for all of it.
    large, settings = runs.plan(["toy-fit"], trials=8), Settings(device="cpu", room=Room(2 * needed))
    monkeypatch.setattr("tlbench.running.run.workers_in", lambda room, cells, catalog: 4 if len(cells) == 1 else 2)
    both = runs.plan(["toy-fit", "toy-tune"], trials=8)
    order = CellOrder(large.cells[0], "", 1, "cpu", 2)
    assert jobs_of(large, [order], runs.catalog, settings) == 4
    assert jobs_of(both, [order], runs.catalog, settings) == 2


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


@pytest.mark.parametrize(
    ("limit", "spent", "left"), [(None, 50, None), (60, 0, 60), (60, 50, 10), (60, 80, 1), (0.5, 80, 0.5)]
)
def test_a_cell_that_is_taken_up_again_has_what_is_left_of_its_time(runs, monkeypatch, limit, spent, left):
    from tlbench.running import executors

    (cell,) = runs.plan(["toy-fit"], max_seconds=limit).cells
    monkeypatch.setattr(executors.WorkFolder, "spent", lambda self: spent)
    assert executors._seconds_left(CellOrder(cell, "work")) == left


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
