"""Requests, answers and the settings of workers."""

import json
import os
import select
import signal
import sys
import time

import pytest

from tests.running.forking.conftest import DEADLINE, ask, events_of, pid_is_alive, until
from tlbench.running.forking import Answered, Died, ForkServer, Start, WorkerEnded, open_workers


def test_each_worker_answers_its_own_request(any_workers):
    workers = [any_workers.fork() for _ in range(4)]
    for number, worker in enumerate(workers):
        worker.send(b"echo %d" % number)
    assert all(worker.is_busy for worker in workers)
    answers = {event.worker: event.answer for event in events_of(any_workers, 4)}
    assert answers == {worker: b"%d" % number for number, worker in enumerate(workers)}
    assert not any(worker.is_busy for worker in workers)
    assert len({worker.pid for worker in workers}) == len({worker.id for worker in workers}) == 4


def test_one_worker_answers_many_requests(any_workers):
    worker = any_workers.fork()
    assert [ask(any_workers, worker, b"echo %d" % number) for number in range(200)] == [b"%d" % n for n in range(200)]


@pytest.mark.parametrize("size", [0, 1, 2**16, 100_000_000])
def test_frames_of_any_size(any_workers, size):
    worker = any_workers.fork()
    assert ask(any_workers, worker, b"answer_size %d" % size) == b"x" * size
    assert ask(any_workers, worker, b"size_of " + b"y" * size) == b"%d" % size


def test_big_answers_of_two_workers_come_side_by_side(workers):
    pair = [workers.fork(), workers.fork()]
    for worker in pair:
        worker.send(b"echo " + b"z" * 10_000_000)
    assert {event.worker for event in events_of(workers, 2) if len(event.answer) == 10_000_000} == set(pair)


def test_wait_returns_when_its_time_is_over_and_when_there_is_nobody(any_workers):
    assert any_workers.wait() == []
    worker = any_workers.fork()
    assert any_workers.wait(0.0) == []
    assert any_workers.wait(0.01) == []
    worker.kill()
    events_of(any_workers)
    assert any_workers.wait() == []


def test_a_caller_can_select_on_several_things(any_workers):
    worker = any_workers.fork()
    ours, theirs = os.pipe()
    os.write(theirs, b"!")
    assert ours in select.select([any_workers, ours], [], [], DEADLINE)[0]
    worker.send(b"echo 1")
    deadline, events = time.monotonic() + DEADLINE, []
    while not events and time.monotonic() < deadline:
        assert any_workers in select.select([any_workers], [], [], DEADLINE)[0]
        events = any_workers.wait(0)
    assert events == [Answered(worker, b"1")]
    os.close(ours), os.close(theirs)


def test_a_worker_ends_when_it_is_asked_to(any_workers):
    idle, busy = any_workers.fork(), any_workers.fork()
    busy.send(b"echo last")
    for worker in (idle, busy):
        worker.end()
    events = events_of(any_workers, 3)
    assert {WorkerEnded(idle), WorkerEnded(busy), Answered(busy, b"last")} == set(events)
    assert events.index(Answered(busy, b"last")) < events.index(WorkerEnded(busy))


def test_a_worker_that_is_asked_to_end_gets_all_of_its_request(any_workers):
    worker = any_workers.fork()
    worker.send(b"size_of " + b"y" * 10_000_000)
    worker.end()
    assert events_of(any_workers, 2) == [Answered(worker, b"10000000"), WorkerEnded(worker)]


def test_one_request_at_a_time_and_none_to_the_dead(any_workers):
    worker = any_workers.fork()
    worker.send(b"hang")
    with pytest.raises(RuntimeError, match="takes no request"):
        worker.send(b"echo 1")
    worker.kill()
    worker.kill()
    assert [type(event) for event in events_of(any_workers)] == [Died]
    with pytest.raises(RuntimeError, match="takes no request"):
        worker.send(b"echo 1")
    worker.kill()
    worker.end()
    assert any_workers.wait(0.1) == []


def test_a_request_to_a_worker_whose_death_is_not_reported_yet_is_no_error(workers):
    worker = workers.fork()
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: not pid_is_alive(worker.pid))
    worker.send(b"echo 1")
    [died] = events_of(workers)
    assert (died.worker, died.how) == (worker, "was killed by SIGKILL")


def test_what_a_worker_prints_goes_to_the_log(any_workers, start):
    start.log.write_text("what was there before\n")
    worker = any_workers.fork()
    ask(any_workers, worker, b"write_lines")
    lines = start.log.read_text().splitlines()
    assert lines[0] == "what was there before"
    assert {"printed by a worker", "written by a worker", "told by a program", "complained by a program"} < set(lines)


def test_how_a_worker_is_started(workers):
    others = [workers.fork() for _ in range(3)]
    worker = workers.fork("a name", {"ONLY": "here"})
    told = json.loads(ask(workers, worker, b"about"))
    assert told["pid"] == told["group"] == worker.pid
    assert (told["interrupt"], told["terminate"], told["hang_up"], told["blocked"]) == (True, True, True, [])
    assert told["name"] == worker.name == "a name"
    assert told["stdin"] == ""
    assert told["handles"]["0"] == os.devnull
    # Nothing of the server's and of the other workers' is open: their ends would not be seen.
    assert told["sockets"] == 1
    assert told["environment"]["ONLY"] == "here"
    assert told["environment"]["PYTHONSAFEPATH"] == "1"
    assert "ONLY" not in json.loads(ask(workers, others[0], b"about"))["environment"]


def test_environment_stands_before_the_interpreter(start):
    start = Start(start.target, start.log, environment={"PYTHONHASHSEED": "0", "OF_ALL": "1"})
    with open_workers(start) as workers:
        told = json.loads(ask(workers, workers.fork(), b"about"))
    assert told["environment"]["OF_ALL"] == "1"


def test_what_cannot_be_preloaded_is_logged_and_hinders_nobody(start, tmp_path, monkeypatch):
    (tmp_path / "exits.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(str(tmp_path))
    with ForkServer(Start(start.target, start.log, preload=("no_such_module", "exits", "wave"))) as workers:
        worker = workers.fork()
        assert set(workers.failed) == {"no_such_module", "exits"}
        assert workers.failed["exits"] == "SystemExit: 3"
        assert "wave" in json.loads(ask(workers, worker, b"about"))["modules"]
    assert "No module named 'no_such_module'" in start.log.read_text()


def test_workers_do_not_draw_the_same(workers):
    assert len({ask(workers, workers.fork(), b"draw") for _ in range(5)}) == 5


def test_nothing_in_the_working_directory_is_imported(start, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    for module in ("types", "pickle", "random", "json", "socket", "wave"):
        (here / f"{module}.py").write_text("import os; os.write(2, b'imported from here'); raise SystemExit(1)")
    monkeypatch.chdir(here)
    # As with `python -c`, with `python -m`, and with a variable that was extended but not set.
    monkeypatch.setattr(sys, "path", ["", str(here), *sys.path])
    monkeypatch.setenv("PYTHONPATH", os.pathsep + os.environ.get("PYTHONPATH", ""))
    with open_workers(Start(start.target, start.log, preload=("wave", "random"))) as workers:
        told = json.loads(ask(workers, workers.fork(), b"about"))
        assert workers.failed == {}
    assert "imported from here" not in start.log.read_text()
    assert not {"", str(here)} & set(told["path"])


def test_a_working_directory_that_pythonpath_names_is_imported_from(start, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("answer = bytes.upper")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([".", os.environ.get("PYTHONPATH", "")]))
    with open_workers(Start("mine:answer", start.log)) as workers:
        assert ask(workers, workers.fork(), b"abc") == b"ABC"


def test_close_lets_workers_end_and_returns_what_was_not_waited_for(any_workers):
    worker, idle = any_workers.fork(), any_workers.fork()
    worker.send(b"echo 1")
    assert set(any_workers.close(grace_seconds=DEADLINE)) == {
        Answered(worker, b"1"),
        WorkerEnded(worker),
        WorkerEnded(idle),
    }
    assert any_workers.close() == []
    with pytest.raises(RuntimeError, match="closed"):
        any_workers.fork()


def test_close_kills_whoever_does_not_end(any_workers):
    worker = any_workers.fork()
    worker.send(b"hang")
    [died] = any_workers.close(grace_seconds=0.01)
    assert (died.worker, died.how) == (worker, "was killed by SIGKILL")
