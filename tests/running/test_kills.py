"""Kill anything at any moment: the same command finishes the rest, and the scores are those of an undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from tlbench.cli.app import _main
from tlbench.results.store import Store
from tlbench.running.cell_folder import CellFolder

SUITE = """
[protocol]
trials = 5
seeds = 3
[[cells]]
tasks = ["toy-tone", "toy-count"]
backbones = ["toy", "toy[blocks=2]"]
strategies = ["toy-tune", "toy-slow[rounds=20000]"]
[[cells]]
tasks = ["toy-tone", "toy-count"]
strategies = ["toy-majority"]
"""
CELLS = 10
DEADLINE_SECONDS = 240


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "toys.toml").write_text(SUITE)
    return tmp_path / "toys.toml"


@pytest.fixture
def undisturbed(tmp_path, suite, essence):
    # One thread, as each of two workers on two cores: results differ between thread counts.
    out = tmp_path / "undisturbed"
    assert _main(["run", "--suite", str(suite), "--out", str(out), "--executor", "inline", "--jobs", "64"]) == 0
    return {record.cell.id: essence(record) for record in Store.open(out).records()}


class Run:
    """`tlbench run` in processes of its own, to be killed."""

    def __init__(self, suite, out):
        self.out = out
        command = [sys.executable, "-m", "tlbench", "run", "--suite", str(suite), "--out", str(out), "--jobs", "2"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=environment
        )

    def finished_fits(self):
        work = self.out / "work"
        return (
            sum(CellFolder(folder).finished() for folder in work.iterdir() if folder.is_dir()) if work.exists() else 0
        )

    def records(self):
        return len(list((self.out / "records").glob("*.json"))) if (self.out / "records").exists() else 0

    def wait_for(self, moment):
        """Returns True once `moment()` holds, or False where the run ends before."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.process.poll() is None:
            if moment():
                return True
            assert time.monotonic() < deadline, "the run does not move"
            time.sleep(0.005)
        return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def workers(self):
        """Returns the worker processes: the children of the fork server."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [p for p in children if p.ppid() != self.process.pid]
        except psutil.NoSuchProcess:
            return []

    def kill_a_worker(self, rng):
        if workers := self.workers():
            with suppress(psutil.NoSuchProcess):
                rng.choice(workers).kill()
        return bool(workers)

    def kill_the_server(self):
        with suppress(psutil.NoSuchProcess):
            for server in psutil.Process(self.process.pid).children():
                server.kill()
                return True
        return False


def assert_complete(out, undisturbed, essence):
    store = Store.open(out)
    records = list(store.records())
    assert len(list((out / "records").glob("*.json"))) == len(records) == CELLS
    assert {record.cell.id: essence(record) for record in records} == undisturbed
    assert all(len(record.scores) > 0 and store.predictions(record) for record in records)


def kill_whole_runs(suite, out, rng, kills):
    for _ in range(kills):
        run = Run(suite, out)
        goal = run.finished_fits() + rng.randint(0, 12)
        began = run.records()
        if run.wait_for(lambda: run.records() > began or run.finished_fits() >= max(goal, 1)):  # noqa: B023
            run.kill()
    last = Run(suite, out)
    assert last.process.wait(DEADLINE_SECONDS) == 0


def kill_workers(suite, out, rng, kills):
    run = Run(suite, out)
    killed = 0
    for _ in range(kills):
        goal = run.records() + rng.randint(1, 2)
        if run.wait_for(lambda: run.records() >= goal):  # noqa: B023
            killed += run.kill_a_worker(rng)
    assert run.process.wait(DEADLINE_SECONDS) == 0
    return killed


def test_a_run_killed_twice_is_finished_by_the_same_command(suite, tmp_path, undisturbed, essence):
    kill_whole_runs(suite, tmp_path / "out", random.Random(1), kills=2)
    assert_complete(tmp_path / "out", undisturbed, essence)


def test_a_run_whose_workers_are_killed_loses_no_cell(suite, tmp_path, undisturbed, essence):
    assert kill_workers(suite, tmp_path / "out", random.Random(2), kills=2) > 0
    assert_complete(tmp_path / "out", undisturbed, essence)


def test_two_runs_at_once_share_the_work_and_do_each_cell_once(suite, tmp_path, undisturbed, essence):
    both = [Run(suite, tmp_path / "out") for _ in range(2)]
    assert [run.process.wait(DEADLINE_SECONDS) for run in both] == [0, 0]
    assert_complete(tmp_path / "out", undisturbed, essence)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12))
def test_soak_random_kills(suite, tmp_path, undisturbed, essence, seed):
    rng = random.Random(seed)
    kill_whole_runs(suite, tmp_path / "out", rng, kills=6)
    assert_complete(tmp_path / "out", undisturbed, essence)
    kill_workers(suite, tmp_path / "workers", rng, kills=5)
    assert_complete(tmp_path / "workers", undisturbed, essence)
