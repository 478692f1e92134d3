"""Submitting and collecting with a queue of the test's own: once each, and nothing that is damaged or unknown."""

import json
import os
from pathlib import Path

import pytest

import tlbench
from tlbench.cli import app
from tlbench.results.records.store import Store


class Queued:
    """Submits toy cells to the queue, and runs and ends its jobs."""

    def __init__(self, folder, capsys):
        self.out, self.queue, self._capsys = folder / "out", folder / "queue", capsys
        self.queue.mkdir()

    def tlbench(self, *arguments, status=0):
        self._capsys.readouterr()
        assert app._main([*arguments, "--out", str(self.out)]) == status
        return self._capsys.readouterr()

    def submit(self, cells=3, executor="queue", *more, status=0):
        tasks = [part for number in range(cells) for part in ("-t", f"toy-tone[draw={number}]")]
        arguments = [*tasks, "-S", "toy-majority", "--no-baseline", "--seeds", "1"]
        return self.tlbench("run", *arguments, "--submit", "--executor", executor, *more, status=status)

    def shares(self):
        return [Path(path.read_text()) for path in sorted(self.queue.iterdir(), key=lambda path: int(path.name))]

    def end(self, *jobs):
        (self.queue.parent / "ended").write_text(" ".join(jobs))

    def collect(self, status=0):
        return json.loads(self.tlbench("collect", "--json", status=status).out)


@pytest.fixture
def queued(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,queue_plugin")
    monkeypatch.setenv("TLBENCH_TEST_QUEUE", str(tmp_path / "queue"))
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    return Queued(tmp_path, capsys)


def test_a_share_that_runs_twice_leaves_one_record_of_each_cell(queued):
    queued.submit(3, "queue[cells=3]")
    (share,) = queued.shares()
    assert tlbench.carry_out_share(share) == 3
    assert queued.collect()["jobs"] == []
    records = {path.name: path.read_bytes() for path in (queued.out / "records").glob("*.json")}
    assert len(records) == 3
    # A job that comes late: its share is gone with the submission, and a copy of it finds nothing to do.
    assert not share.exists()
    assert queued.collect()["collected"] == []
    assert {path.name: path.read_bytes() for path in (queued.out / "records").glob("*.json")} == records


def test_only_what_is_in_no_job_is_submitted(queued):
    assert "3 of 3 cells submitted as 3 jobs, 0 to 2" in queued.submit(3).out
    assert "nothing more to submit: 3 cells are in jobs" in queued.submit(3).out
    assert "1 of 4 cells submitted as job 3" in queued.submit(4).out
    assert {job["phase"] for job in queued.collect()["jobs"]} == {"waiting"}
    queued.end("1", "3")
    ended = [job["job"] for job in queued.collect(status=1)["jobs"] if job["phase"] == "ended"]
    assert ended == ["1", "3"]
    assert "2 of 4 cells submitted as 2 jobs, 4 to 5" in queued.submit(4).out
    attempts = [
        one for share in queued.shares() if share.exists() for one in json.loads(share.read_bytes())["attempts"]
    ]
    assert len(attempts) >= 4
    status = queued.tlbench("status").out
    assert "jobs waiting with 4 cells: " in status
    assert "the same `tlbench run` as before" not in status


def test_nothing_is_submitted_while_the_cluster_does_not_answer(queued):
    queued.submit(2)
    (queued.queue.parent / "silent").touch()
    found = queued.submit(3, status=2)
    assert found.err.splitlines() == ["tlbench: nothing is submitted: queue: it does not answer"]
    assert len(queued.shares()) == 2
    collected = queued.collect(status=1)
    assert collected["problems"] == ["queue: it does not answer"]
    assert {job["phase"] for job in collected["jobs"]} == {"unknown"}
    assert "the state of jobs is not known" in queued.tlbench("status").out


def test_jobs_that_were_taken_before_the_queue_was_full_are_remembered(queued):
    # Two pieces of two jobs; the second piece is refused.
    assert "it is full" in queued.submit(4, "queue[limit=2]", status=2).err
    assert "2 of 4 cells submitted" in queued.submit(4).out
    # Of the first piece nothing was taken: no trace is left.
    assert "it is full" in queued.submit(6, "queue[limit=0]", status=2).err
    assert len(queued.collect()["jobs"]) == 4


def test_files_of_others_are_left_out(queued):
    queued.submit(1)
    work = queued.out / "work"
    (submission,) = work.glob("submitted-*/submission.json")
    content = json.loads(submission.read_bytes())
    (work / "submitted-00000000").mkdir()
    (work / "submitted-00000000/submission.json").write_text(json.dumps(content))  # another's id
    (work / "submitted-00000001").symlink_to(submission.parent)
    (work / "submitted-00000002").mkdir()
    (work / "submitted-00000002/submission.json").write_text("{")
    content["jobs"][0]["attempts"][0][0] = "../../../outside"
    (work / "submitted-00000003").mkdir()
    (work / "submitted-00000003/submission.json").write_text(json.dumps({**content, "id": "00000003"}))
    found = queued.collect()
    assert {job["submission"] for job in found["jobs"]} == {json.loads(submission.read_bytes())["id"]}
    assert found["collected"] == []


def test_a_record_that_was_deleted_is_made_again(queued):
    queued.submit(1)
    tlbench.carry_out_share(queued.shares()[0])
    (collected,) = queued.collect()["collected"]
    queued.tlbench("delete", collected["cell"], "--yes")
    assert Store.open(queued.out).attempts() == {}
    assert "1 of 1 cells submitted" in queued.submit(1).out
    assert len(queued.collect()["jobs"]) == 1
    tlbench.carry_out_share(queued.shares()[-1])
    assert len(queued.collect()["collected"]) == 1
    assert len(os.listdir(queued.out / "records")) > 0
