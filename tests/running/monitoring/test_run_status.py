"""The status of a run: what it counts, and the file that other processes read."""

from __future__ import annotations

import os
import socket
import subprocess

import msgspec
import pytest

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.executor import Fit, FitOrder
from tlbench.contracts.record import Record
from tlbench.running.monitoring.fit_times import FitTimes
from tlbench.running.monitoring.order_progress import OrderProgress
from tlbench.running.monitoring.run_status import (
    RunState,
    RunStatus,
    read_statuses,
    remove_dead,
    remove_status,
    status_path,
    write_status,
)  # fmt: skip
from tlbench.running.monitoring.time_left import TimeLeft

STATUS = RunStatus("0123abcd", "s", os.getpid(), socket.gethostname(), 100.0, 100.0, 5, 3, 0, 2)
CELL = Cell(Ref("t"), Ref("full"), Protocol(trials=4, seeds=(3, 5)), Ref("b"))


def order(purpose, *fits):
    return FitOrder(CELL, purpose, tuple(Fit(trial, seed, {}) for trial, seed in fits))


@pytest.mark.parametrize(
    ("sent", "phase"),
    [
        (order("search", (2, 3)), "trial 3/4"),
        (order("search", (0, 3), (1, 3), (2, 3)), "trials 1-3/4"),
        (order("final", (2, 5)), "seed 2/2"),
        (order("final", (2, 3), (2, 5)), "seeds 1-2/2"),
        (order("score", (2, 3), (2, 5)), "scoring"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_order_says_where_its_cell_is(sent, phase):
    assert OrderProgress(sent, 1, 0.0).phase == phase


def test_a_grid_has_no_known_number_of_trials():
    grid = msgspec.structs.replace(CELL, protocol=Protocol(trials=4, sampler="grid"))
    assert OrderProgress(FitOrder(grid, "search", (Fit(2, 0, {}),)), 1, 0.0).phase == "trial 3"


def test_two_workers_on_one_cell_are_told_apart():
    state = RunState(STATUS, TimeLeft([CELL], 2, FitTimes(), "cpu:1", lambda one: 2), lambda: 130.0)
    assert state.status().orders == ()
    state.progress = lambda: [
        OrderProgress(order("search", (3, 3)), 2, 4.0),
        OrderProgress(order("search", (2, 3)), 1, 9.0),
    ]
    now = state.status()
    assert [(one.worker, one.phase, one.seconds) for one in now.orders] == [
        (1, "trial 3/4", 9.0),
        (2, "trial 4/4", 4.0),
    ]
    assert {(one.cell, one.strategy, one.backbone, one.task) for one in now.orders} == {(CELL.id, "full", "b", "t")}
    assert (now.updated, now.done, now.failed, now.seconds_left) == (130.0, 3, 0, None)
    state.add(Record(CELL, "failed", reason="no luck"))
    now = state.status()
    assert (now.done, now.failed) == (4, 1)


def test_the_file_is_read_back_and_removed_at_the_end(tmp_path):
    write_status(tmp_path, STATUS)
    other = msgspec.structs.replace(STATUS, run="ffffffff", began=50.0)
    write_status(tmp_path, other)
    assert read_statuses(tmp_path) == [other, STATUS]
    remove_status(tmp_path, "ffffffff")
    remove_status(tmp_path, "ffffffff")
    assert read_statuses(tmp_path) == [STATUS]
    assert [path.name for path in tmp_path.iterdir()] == ["running-0123abcd.json"]


def test_a_new_run_removes_the_files_of_killed_ones(tmp_path):
    write_status(tmp_path, STATUS)
    write_status(tmp_path, msgspec.structs.replace(STATUS, run="ffffffff", updated=0.0))
    remove_dead(tmp_path, 101.0)
    assert read_statuses(tmp_path) == [STATUS]


def test_files_that_are_damaged_or_of_somebody_else_are_left_out(tmp_path):
    (tmp_path / "running-notes.json").write_text("{}")
    (tmp_path / "running-00000001.json").write_text("{")
    (tmp_path / "running-00000002.json").mkdir()
    assert read_statuses(tmp_path) == []
    assert read_statuses(tmp_path / "nowhere") == []
    # A newer tlbench may add fields.
    newer = {**msgspec.to_builtins(STATUS), "future": 1}
    status_path(tmp_path, "0123abcd").write_bytes(msgspec.json.encode(newer))
    assert read_statuses(tmp_path) == [STATUS]
    # What cannot be written does not stop the run.
    write_status(tmp_path / "nowhere", STATUS)


def test_a_run_is_alive_while_its_process_exists_and_writes():
    assert STATUS.is_alive(101.0)
    assert not STATUS.is_alive(100.0 + 61)
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not msgspec.structs.replace(STATUS, pid=ended.pid).is_alive(101.0)
    # The processes of another machine are not visible here.
    assert msgspec.structs.replace(STATUS, pid=ended.pid, host="elsewhere").is_alive(101.0)
    assert not msgspec.structs.replace(STATUS, host="elsewhere").is_alive(100.0 + 61)
