"""Fits that hang or end their process: dead within the time limit, nothing left behind, and the next cells run."""

import os

import psutil
import pytest

from tlbench.testing.process_faults import CRASHED

NEXT = ["toy-fit", "toy-tune", "toy-guess", "toy-slow", "toy-majority"]
LIMIT_SECONDS, LATENCY_SECONDS = 6.0, 5.0


def check(runs, faulty, status, monkeypatch, jobs=1, **what):
    """Runs faulty cells and five others; returns the records of the faulty ones."""
    mark = f"{os.getpid()}-{faulty[0]}"
    monkeypatch.setenv("TLBENCH_TEST_RUN", mark)
    ended = runs.run([*faulty, *NEXT], executor="isolated", jobs=jobs, **what)
    records = {record.cell.strategy.name: record for record in ended}
    expected = {**dict.fromkeys(faulty, status), **dict.fromkeys(NEXT, "ok")}
    assert {name: record.status for name, record in records.items()} == expected
    left = [one for one in psutil.process_iter() if one.pid != os.getpid() and has_mark(one, mark)]
    assert left == []
    return [records[name] for name in faulty]


def has_mark(process, mark):
    try:
        return process.environ().get("TLBENCH_TEST_RUN") == mark and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


def test_hangs_end_at_the_time_limit(runs, monkeypatch):
    hanging = [f"toy-hanging[how={how}]" for how in ("native", "deaf")]
    records = check(runs, ["toy-hanging", *hanging], "timeout", monkeypatch, jobs=3, max_seconds=LIMIT_SECONDS)
    for record in records:
        late = record.seconds.total - LIMIT_SECONDS
        print(f"{record.cell.strategy.name}: ended {late:.1f} s after its limit")
        assert late < LATENCY_SECONDS, "the bound that users are promised"


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
    (record,) = check(runs, [f"toy-exiting[status={status}]"], "crashed", monkeypatch)
    assert text in record.reason
    assert len((tmp_path / "crashes").read_text().split()) == 3
