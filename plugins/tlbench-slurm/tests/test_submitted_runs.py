"""`run --submit`, `status` and `collect` on a real Slurm: killed and requeued jobs, and a driver that is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tlbench_slurm import cluster

from tlbench.cli import app
from tlbench.results.records.store import Store

PATIENCE_SECONDS = 240.0


class Submitted:
    """Submits gated toy cells, one for each number, and follows them."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.out, self.gate, self._capfd = folder / "out", folder / "gate", capfd
        self.gate.mkdir()

    def tlbench(self, *arguments: str, status: int = 0) -> str:
        self._capfd.readouterr()
        assert app._main([*arguments, "--out", str(self.out)]) == status
        return self._capfd.readouterr().out

    def submit(self, cells: int, executor: str, *more: str) -> str:
        strategies = [part for number in range(cells) for part in ("-S", f"toy-gated[number={number}]")]
        arguments = ["-b", "toy", "-t", "toy-tone", *strategies, "--no-baseline", "--set", "lr=0.01", "--seeds", "1"]
        return self.tlbench("run", *arguments, "--submit", "--executor", executor, *more)

    def collected(self, *more: str, status: int = 0) -> dict:
        return json.loads(self.tlbench("collect", "--json", *more, status=status))

    def states(self) -> dict:
        return json.loads(self.tlbench("status", "--json"))

    def until(self, condition):
        """Waits until a condition on the status holds, and returns the status."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition(status := self.states()):
            assert time.monotonic() < deadline, status
            time.sleep(0.2)
        return status

    def open(self) -> None:
        (self.gate / "open").touch()

    def fits(self) -> list[str]:
        return (self.gate / "fits").read_text().splitlines()

    def recorded(self) -> list[str]:
        """Returns the names of all records' files."""
        return sorted(path.name for path in (self.out / "records").glob("*.json"))


@pytest.fixture
def submitted(slurm_cluster, tmp_path, monkeypatch, capfd):
    here = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([here, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,gated_plugin")
    monkeypatch.setenv("TLBENCH_TEST_GATE", str(tmp_path / "gate"))
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    yield Submitted(tmp_path, capfd)
    subprocess.run(["scancel", "--me"], check=False)


def slurm(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def running_cells(status: dict) -> int:
    return sum(len(run["orders"]) for run in status["runs"] if run["alive"])


def test_killed_and_requeued_jobs_end_with_every_cell_once(submitted):
    submitted.submit(6, "slurm[array=3]")
    status = submitted.until(lambda status: running_cells(status) == 3)
    jobs = [job["job"] for job in status["jobs"]]
    assert {job["phase"] for job in status["jobs"]} == {"running"}
    order = next(order for run in status["runs"] for order in run["orders"])
    assert order["phase"] == "trial 1/1"
    assert all(run["pid"] and run["host"] for run in status["runs"])
    # One job is killed, one is put back into the queue, as after the failure of its node.
    slurm("scancel", "--signal=KILL", jobs[0])
    slurm("scontrol", "requeue", jobs[1])
    submitted.until(lambda status: {job["job"]: job["phase"] for job in status["jobs"]}[jobs[0]] == "ended")
    assert "2 cells are in" not in submitted.tlbench("collect", status=1)
    lost = [job for job in submitted.collected(status=1)["jobs"] if job["phase"] == "ended"]
    assert [job["job"] for job in lost] == [jobs[0]]
    # Only what is in no job is submitted, by a process that knows nothing of the first.
    assert "2 of 6 cells submitted as 2 jobs" in submitted.submit(6, "slurm[array=3]")
    assert "nothing more to submit: 6 cells are in jobs" in submitted.submit(6, "slurm[array=3]")
    submitted.open()
    submitted.until(lambda status: not status.get("jobs"))
    found = submitted.collected()
    assert len(found["collected"]) == 6
    assert found["jobs"] == []
    assert len(submitted.recorded()) == 6
    assert sorted(submitted.fits()) == [f"{number} 0" for number in range(6)]
    assert not [*(submitted.out / "work").glob("submitted-*")]
    assert submitted.collected()["collected"] == []
    assert "no cell is missing" in submitted.submit(6, "slurm[array=3]")


@pytest.mark.soak
def test_a_drained_node_and_a_job_that_runs_twice_leave_one_record(submitted):
    submitted.open()
    submitted.submit(4, "slurm[array=2,cells=2]")
    (share, *_) = sorted((submitted.out / "work").glob("submitted-*/share-0.json"))
    node = subprocess.run(["sinfo", "-h", "-o", "%N"], capture_output=True, text=True, check=True).stdout.strip()
    slurm("scontrol", "update", f"node={node}", "state=drain", "reason=test")
    try:
        # The same share at the same time beside the job, as by a node that lost its connection but still works.
        code = f"from pathlib import Path; import tlbench; tlbench.carry_out_share(Path({str(share)!r}))"
        again = subprocess.Popen([sys.executable, "-c", code])
        assert again.wait(PATIENCE_SECONDS) == 0
    finally:
        slurm("scontrol", "update", f"node={node}", "state=resume")
    submitted.until(lambda status: not status.get("jobs"))
    assert {one["status"] for one in submitted.collected()["collected"]} == {"ok"}
    before = {path: path.read_bytes() for path in (submitted.out / "records").glob("*.json")}
    assert len(before) == 4
    # A late job finds every cell recorded, and changes nothing.
    submitted.submit(4, "slurm[array=1]", "--fresh", "none")
    assert {path: path.read_bytes() for path in (submitted.out / "records").glob("*.json")} == before


def test_arrays_are_no_larger_than_the_cluster_takes(submitted, monkeypatch):
    assert cluster.most_array_tasks() == 1001
    monkeypatch.setattr(cluster, "most_array_tasks", lambda: 2)
    submitted.submit(5, "slurm[cells=1]")
    jobs = [job["job"] for job in submitted.states()["jobs"]]
    assert len(jobs) == 5
    assert len({job.partition("_")[0] for job in jobs}) == 3


def test_mistakes_are_one_line_and_leave_nothing_submitted(submitted):
    for executor, message in (
        ("slurm[partition=nowhere]", "partition"),
        ("slurm[cpus=0]", "a number from 1 on"),
        ("isolated", "works only while this command runs"),
    ):
        submitted._capfd.readouterr()
        arguments = ["-b", "toy", "-t", "toy-tone", "-S", "toy-fit", "--out", str(submitted.out)]
        assert app._main(["run", *arguments, "--submit", "--executor", executor]) == 2
        errors = submitted._capfd.readouterr().err.strip().splitlines()
        assert len(errors) == 1
        assert message in errors[0]
    assert not [*(submitted.out / "work").glob("submitted-*")]
    assert Store.open(submitted.out).attempts() == {}


@pytest.mark.soak
def test_a_job_at_its_time_limit_goes_on_later(submitted):
    submitted.submit(2, "slurm[array=1,time=60]")
    status = submitted.until(lambda status: running_cells(status) == 1)
    first = status["runs"][0]["pid"]
    # What Slurm sends to every process of the job a minute before its limit.
    slurm("scancel", "--signal=USR2", status["jobs"][0]["job"])
    submitted.until(
        lambda status: any(run["alive"] and run["pid"] != first and run["orders"] for run in status["runs"])
    )
    submitted.open()
    submitted.until(lambda status: not status.get("jobs"))
    assert {one["status"] for one in submitted.collected()["collected"]} == {"ok"}
    assert sorted(submitted.fits()) == ["0 0", "1 0"]
