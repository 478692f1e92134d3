"""Fits that hang or end their process: dead within the time limit, nothing left behind, and the next cells run."""

import os

import psutil
import pytest

from tlbench.testing.process_faults import CRASHED

NEXT = ["toy-fit", "toy-tune", "toy-guess", "toy-slow", "toy-majority"]
LATENCY_SECONDS = 5.0


def check(runs, faulty, status, monkeypatch, **what):
    """Runs a faulty cell and five others on one worker; returns the record of the faulty one."""
    mark = f"{os.getpid()}-{faulty}"
    monkeypatch.setenv("TLBENCH_TEST_RUN", mark)
    records = {one.cell.strategy.name: one for one in runs.run([faulty, *NEXT], executor="isolated", jobs=1, **what)}
    assert {name: one.status for name, one in records.items()} == {faulty: status, **dict.fromkeys(NEXT, "ok")}
    left = [one for one in psutil.process_iter() if one.pid != os.getpid() and has_mark(one, mark)]
    assert left == []
    return records[faulty]


def has_mark(process, mark):
    try:
        return process.environ().get("TLBENCH_TEST_RUN") == mark and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


@pytest.mark.parametrize("how", ["python", "native", "deaf"])
def test_a_hang_ends_at_the_time_limit(runs, monkeypatch, how):
    record = check(runs, f"toy-hanging[how={how}]", "timeout", monkeypatch, max_seconds=3.0)
    print(f"{how}: ended {record.seconds.total - 3:.1f} s after its limit")
    assert record.seconds.total < 3 + LATENCY_SECONDS, "the bound that users are promised"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "exited with status 0 before it answered"),
        (1, "exited with status 1 before it answered"),
        (9, "exited with status 9 before it answered"),
        (-11, "was killed by SIGSEGV, a crash in native code"),
        (-9, "was killed by SIGKILL from outside, and not for lack of memory,"),
    ],
)
def test_an_exit_or_crash_ends_its_own_cell(runs, monkeypatch, tmp_path, status, text):
    monkeypatch.setenv(CRASHED, str(tmp_path / "crashes"))
    record = check(runs, f"toy-exiting[status={status}]", "crashed", monkeypatch)
    assert text in record.reason
    assert len((tmp_path / "crashes").read_text().split()) == 3
