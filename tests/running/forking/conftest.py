import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from tlbench.running.forking import Answered, ForkServer, SpawnServer, Start
from tlbench.running.forking.workers import NO_ENVIRONMENT

HERE = Path(__file__).parent
DEADLINE = 120
"""Seconds after which a waiting test fails; on an idle machine nothing here takes one second."""


def is_alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pid_is_alive(pid):
    try:
        return is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def until(condition):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "waited for nothing"
        time.sleep(0.002)


def events_of(workers, count=1):
    """Waits for this many events and returns them; fails after the deadline."""
    events, deadline = [], time.monotonic() + DEADLINE
    while len(events) < count:
        assert time.monotonic() < deadline, events
        events += workers.wait(1.0)
    assert len(events) == count, events
    return events


def ask(workers, worker, request):
    """Sends a worker a request and returns its answer."""
    worker.send(request)
    [event] = events_of(workers)
    assert isinstance(event, Answered), event
    assert event.worker is worker
    return event.answer


def server_of(worker):
    return psutil.Process(psutil.Process(worker.pid).ppid())


@pytest.fixture(autouse=True)
def nothing_left(tmp_path):
    """Fails a test that leaves a process running."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    after = [process for process in psutil.Process().children(recursive=True) if process.pid not in before]
    # A killed process may not have been waited for yet: `wait_procs` does that, and returns those that still run.
    _, running = psutil.wait_procs(after, timeout=5)
    assert not running


@pytest.fixture
def start(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    return Start("forking_targets:act", tmp_path / "workers.log", preload=("forking_targets",))


class Branches(ForkServer):
    """A fork server that forks workers from a branch by default."""

    def fork(self, name="", environment=NO_ENVIRONMENT, modules=("wave",)):
        return super().fork(name, environment, modules)


@pytest.fixture(params=[ForkServer, Branches])
def workers(request, start):
    with request.param(start) as workers:
        yield workers


@pytest.fixture(params=[ForkServer, Branches, SpawnServer])
def any_workers(request, start):
    """A pool of either kind, for tests of their common contract."""
    with request.param(start) as workers:
        yield workers


def default_signals():
    """Resets signals that `nohup`, or a shell that runs the tests in the background, has set to be ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def driver(tmp_path):
    """Runs a script as a driver process; returns the process and its output up to `ready`."""
    import os
    import subprocess

    started = []

    def run(script, cwd=None, **environment):
        root = HERE.parents[2]
        variables = {**os.environ, "PYTHONPATH": str(root / "src"), "TARGETS": str(HERE), "LOG": str(tmp_path / "log")}
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env={**variables, **environment},
            preexec_fn=default_signals,  # noqa: PLW1509
        )
        started.append(process)
        lines = []
        for line in process.stdout:
            if line.strip() == "ready":
                break
            lines.append(line.strip())
        return process, lines

    yield run
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
