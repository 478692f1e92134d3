"""Runs `tlbench run` as a subprocess, kills its processes and checks the records afterwards."""

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.running.forking.conftest import default_signals
from tlbench.results.records.store import Store
from tlbench.running.cells.cell_folder import CellFolder

SUITE = """
[protocol]
trials = 5
seeds = 3
[[cells]]
tasks = ["toy-tone", "toy-count"]
backbones = ["toy", "toy-importing[blocks=2]"]
strategies = ["toy-tune", "toy-slow[rounds=20000]"]
[[cells]]
tasks = ["toy-tone", "toy-count"]
strategies = ["toy-majority"]
[[cells]]
tasks = ["toy-tone"]
backbones = ["toy"]
strategies = ["toy-fit"]
protocol = { folds = 3, trials = 2 }
"""
CELLS = 11
DEADLINE_SECONDS = float(os.environ.get("TLBENCH_TEST_DEADLINE", "240"))
"""Longest wait for a run; a machine that does much else may need more."""
MARK = "TLBENCH_TEST_RUN"
KINDS = ("worker", "worker", "two workers", "newborn", "server", "branch", "driver and server")


class Run:
    """A run as a subprocess; its processes are known by a mark in their environment."""

    begun = []
    """The runs that tests have begun; `stop_all` ends what a failed test has left of them."""

    def __init__(self, suite, out):
        self.out, self.mark = out, secrets.token_hex(8)
        self.temporary = Path(f"{out}-tmp")
        self.temporary.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "tlbench", "run", "--suite", str(suite), "--out", str(out), "--jobs", "2"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", MARK: self.mark, "TMPDIR": str(self.temporary)}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environment,
            preexec_fn=default_signals,  # noqa: PLW1509
        )
        self.begun.append(self)

    @classmethod
    def stop_all(cls):
        """Ends all processes of runs, those that have ended included: children may outlive a driver."""
        runs, cls.begun[:] = list(cls.begun), []
        for run in runs:
            # The drivers first, since they would start new workers.
            if run.process.poll() is None:
                run.process.kill()
                run.process.wait()
        for process in psutil.process_iter() if runs else ():
            if any(run.owns(process) for run in runs):
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def finished_fits(self):
        work = self.out / "work"
        return (
            sum(CellFolder(folder).finished() for folder in work.iterdir() if folder.is_dir()) if work.exists() else 0
        )

    def open_cells(self):
        """Returns the number of finished fits of each cell that was begun and has no record, by its folder's name."""
        work, records = self.out / "work", self.out / "records"
        folders = [folder for folder in work.glob("*.1") if folder.is_dir()] if work.exists() else []
        return {one.name: CellFolder(one).finished() for one in folders if not (records / f"{one.name}.json").exists()}

    def moved_on(self, before):
        """Returns whether each of these open cells has a record, or as many new fits as there are workers."""
        now = self.open_cells()
        return all(now[name] >= fits + 2 for name, fits in before.items() if name in now)

    def records(self):
        return len(list((self.out / "records").glob("*.json"))) if (self.out / "records").exists() else 0

    def wait_for(self, moment):
        """Waits until `moment()` is true; returns False if the run ends before."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.process.poll() is None:
            if moment():
                return True
            assert time.monotonic() < deadline, "the run does not move"
            time.sleep(0.005)
        return False

    def ended(self):
        """Waits for the driver and all processes that it started to end; returns the driver's exit status."""
        status = self.process.wait(DEADLINE_SECONDS)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while left := [process for process in psutil.process_iter() if self.owns(process)]:
            assert time.monotonic() < deadline, left
            time.sleep(0.01)
        # torch creates one folder per user for its compiler, even if nothing is compiled.
        assert [name for name in os.listdir(self.temporary) if not name.startswith("torchinductor_")] == []
        return status

    def owns(self, process):
        try:
            return process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False

    def signalled(self, number):
        """Sends the driver a signal; returns its exit status once all processes have ended."""
        self.process.send_signal(number)
        return self.ended()

    def servers(self):
        """Returns the first fork server (a list of at most one) and its branches."""
        try:
            servers = psutil.Process(self.process.pid).children()
            return servers, [child for one in servers for child in one.children() if not is_worker(child)]
        except psutil.NoSuchProcess:
            return [], []

    def workers(self):
        try:
            return [child for child in psutil.Process(self.process.pid).children(recursive=True) if is_worker(child)]
        except psutil.NoSuchProcess:
            return []

    def kill(self, kind, rng):
        """Kills processes of a kind in `KINDS`; returns whether there were any."""
        if kind == "newborn":
            known = {worker.pid for worker in self.workers()}
            until = time.monotonic() + 2
            victims = []
            while not victims and time.monotonic() < until and self.process.poll() is None:
                victims = [worker for worker in self.workers() if worker.pid not in known]
        elif kind in ("server", "branch"):
            victims = self.servers()[kind == "branch"]
        elif kind == "driver and server":
            victims = [*self.servers()[0], psutil.Process(self.process.pid)]
        else:
            workers = self.workers()
            victims = rng.sample(workers, min(len(workers), 2 if kind == "two workers" else 1))
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        return bool(victims)


def is_worker(process):
    """Returns whether a process is a living worker: those are named after cells, servers after the interpreter."""
    try:
        return not process.name().startswith("python") and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_complete(out, undisturbed, essence):
    store = Store.open(out)
    records = list(store.records())
    assert len(list((out / "records").glob("*.json"))) == len(records) == CELLS
    assert {record.cell.id: essence(record) for record in records} == undisturbed
    assert all(len(record.scores) > 0 and store.predictions(record) for record in records)


def kill_at_random(suite, out, seed, kills, kinds=KINDS, in_a_row=None):
    """Kills processes of a run at random until it finishes; checks that no record is lost, and returns the kills.

    A cell whose order loses three workers is given up. So after `in_a_row` kills all cells move on before the next:
    on a machine that does much else, kills would otherwise be faster than any fit.
    """
    rng = random.Random(seed)
    run, killed, records, before = Run(suite, out), 0, 0, {}
    while killed < kills:
        if in_a_row is not None and killed % in_a_row == 0:
            run.wait_for(lambda: run.moved_on(before))  # noqa: B023
            before = run.open_cells()
        if not run.wait_for(lambda: run.workers() or run.records() == CELLS) or run.records() == CELLS:  # noqa: B023
            break
        # A random pause, so that kills hit any moment of a fit, of a cell and of a start.
        time.sleep(rng.uniform(0, 0.6))
        kind = rng.choice(kinds)
        killed += run.kill(kind, rng)
        assert run.records() >= records
        records = run.records()
        if kind == "driver and server":
            run.ended()
            run = Run(suite, out)
    assert run.ended() == 0
    return killed


def signal_at_random(suite, out, seed, numbers):
    """Starts a run once per signal and ends it by that signal, then finishes it; returns the drivers' exit statuses."""
    rng = random.Random(seed)
    statuses = []
    for number in numbers:
        run = Run(suite, out)
        goal = run.finished_fits() + rng.randint(0, 2)
        if run.wait_for(lambda: run.workers() and run.finished_fits() >= goal):  # noqa: B023
            statuses.append(run.signalled(number))
        else:
            run.ended()
            break
    assert Run(suite, out).ended() == 0
    return statuses


ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
"""Signal to the exit status of a driver that is ended by it."""
