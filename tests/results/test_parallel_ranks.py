"""Ranks from other processes equal those from this one, even if the processes are killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import msgspec
import psutil
import pytest

from tlbench.cli import leaderboard as board
from tlbench.cli.board.board_choice import BoardChoice
from tlbench.metrics import METRICS
from tlbench.results import parallel_ranks
from tlbench.results.leaderboard import Table, comparable_groups
from tlbench.results.parallel_ranks import ParallelRanks
from tlbench.results.ranking import Place
from tlbench.results.records.summaries import CellSummary, summaries_of

ACCURACY = METRICS["accuracy"]
GROUPS = [
    (ACCURACY, [CellSummary(f"{task}{i}", task, "b", "s", "", predictions="p") for i in range(3)]) for task in "wxyz"
]


def ranked(metric, summaries):
    places = [Place(i + 1, i + 2, summaries[0].task) for i in range(len(summaries))]
    return places, [f"{metric.name} of {summary.cell}" for summary in summaries]


def ranked_by_process(metric, summaries):
    """Returns the id and name of the process instead of ranks."""
    return [Place(os.getpid(), None, "")], [multiprocessing.current_process().name]


@contextmanager
def announced(ranked, groups):
    with ParallelRanks(ranked) as ranks:
        ranks.announce(groups)
        yield ranks


@pytest.fixture(autouse=True)
def two_processes(monkeypatch):
    monkeypatch.setattr(parallel_ranks, "MIN_FILES", 1)
    monkeypatch.setattr(parallel_ranks, "process_count", lambda: 2)


@pytest.mark.parametrize("order", [GROUPS, GROUPS[::-1], GROUPS[1::2] + GROUPS[::2]])
def test_groups_come_in_any_order(order):
    with announced(ranked, GROUPS) as ranks:
        assert [ranks(*group) for group in order] == [ranked(*group) for group in order]
    assert not multiprocessing.active_children()


def test_they_are_made_in_two_other_processes():
    with announced(ranked_by_process, GROUPS) as ranks:
        made_by = [ranks(*group)[0][0].rank for group in GROUPS]
    assert len(set(made_by)) == 2
    assert os.getpid() not in made_by


def test_a_process_goes_on_while_another_is_waited_for(tmp_path):
    def ranked(metric, summaries):
        """Returns more than a pipe holds; `y`, of the first process, waits for `z`, the second group of the other."""
        task = summaries[0].task
        (tmp_path / task).touch()
        deadline = time.monotonic() + 20
        while task == "y" and not (tmp_path / "z").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return [Place(os.getpid(), None, task * 2**20)], []

    with announced(ranked, GROUPS) as ranks:
        places = [ranks(*group)[0][0] for group in GROUPS[::2] + GROUPS[1::2]]
    assert [place.ranked_by[0] for place in places] == ["w", "y", "x", "z"]
    assert os.getpid() not in {place.rank for place in places}


def test_a_group_that_was_not_announced_is_ranked_here():
    with announced(ranked_by_process, GROUPS[:2]) as ranks:
        assert ranks(*GROUPS[3])[0][0].rank == os.getpid()
        # Of the same task, but of fewer summaries.
        assert ranks(ACCURACY, GROUPS[0][1][:2])[0][0].rank == os.getpid()


def test_few_files_are_not_worth_a_process(monkeypatch):
    monkeypatch.setattr(parallel_ranks, "MIN_FILES", 13)
    with announced(ranked_by_process, GROUPS) as ranks:
        assert ranks(*GROUPS[0])[0][0].rank == os.getpid()


def test_a_process_that_is_ended_costs_time_alone():
    parent = os.getpid()

    def ends(metric, summaries):
        if os.getpid() != parent and summaries[0].task in "yz":
            os.kill(os.getpid(), signal.SIGKILL)
        return ranked(metric, summaries)

    with announced(ends, GROUPS) as ranks:
        assert [ranks(*group) for group in GROUPS] == [ranked(*group) for group in GROUPS]


def test_an_error_is_raised_where_the_ranks_are_requested():
    def raises(metric, summaries):
        raise KeyError(summaries[0].task)

    with announced(raises, GROUPS) as ranks, pytest.raises(KeyError, match="x"):
        ranks(*GROUPS[1])


def test_no_process_outlasts_a_table_that_fails():
    with pytest.raises(KeyboardInterrupt), announced(lambda *group: signal.pause(), GROUPS):
        raise KeyboardInterrupt
    assert not multiprocessing.active_children()


def test_where_no_process_can_be_had_everything_is_made_here(monkeypatch):
    def refused(self):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(multiprocessing.get_context("fork").Process, "start", refused)
    with announced(ranked_by_process, GROUPS) as ranks:
        assert ranks(*GROUPS[0])[0][0].rank == os.getpid()


def test_comparable_groups_are_those_that_a_table_ranks(made):
    _, records, _ = made.suite()
    summaries, asked = summaries_of(records), []
    Table(
        summaries, ranked=lambda metric, group: asked.append((metric, list(group))) or [Place(1, True, "")] * len(group)
    )
    assert sorted(comparable_groups(summaries), key=str) == sorted(asked, key=str)
    assert asked


def test_a_damaged_file_is_named_by_this_process(tmp_path, made, capfd, monkeypatch):
    store = board.Store.create(tmp_path / "out")
    for n in range(4):
        cell = made.cell(task=f"t{n % 2}", strategy=f"s{n}")
        record = made.record(cell, made.answers(accuracy=0.6 + n / 10))
        (tmp_path / "predictions.parquet").write_bytes(b"no predictions")
        assert store.commit(msgspec.structs.replace(record, predictions="predictions.parquet"), tmp_path)
    shown = []
    for number in (2, 1):
        monkeypatch.setattr(parallel_ranks, "process_count", lambda number=number: number)
        board.print_board(store.root, None, BoardChoice(), True, "csv")
        shown.append(capfd.readouterr())
    assert shown[0] == shown[1]
    assert shown[0].err.count("cannot be read") == 4


def test_no_process_outlasts_a_parent_that_is_killed(tmp_path):
    script = (
        "import os, signal, time\n"
        "from tlbench.results import parallel_ranks\n"
        "parallel_ranks.process_count = lambda: 2\n"
        "ranks = parallel_ranks.ParallelRanks(lambda *group: None)\n"
        "ranks.start(10**6)\n"
        "print(*(process.pid for process in ranks._processes), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)
