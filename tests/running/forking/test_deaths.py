"""Deaths of workers and servers: one event each, and no process is left behind."""

import os
import select
import signal
from pathlib import Path

import pytest

from tests.running.forking.conftest import DEADLINE, HERE, Branches, ask, events_of, pid_is_alive, server_of, until
from tlbench.running.forking import Died, ForkServer, SpawnServer, Start, StartError, WorkerEnded
from tlbench.running.forking import linux as system


def death(workers, worker, request):
    worker.send(request)
    [event] = events_of(workers)
    assert isinstance(event, Died)
    assert event.worker is worker
    assert not pid_is_alive(worker.pid)
    return event


@pytest.fixture(scope="module", params=[ForkServer, Branches, SpawnServer])
def lasting_workers(request, tmp_path_factory):
    """A pool whose server outlives every death of its workers, and its log."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        log = tmp_path_factory.mktemp("lasting") / "workers.log"
        with request.param(Start("forking_targets:act", log, preload=("forking_targets",))) as workers:
            assert death(workers, workers.fork(), b"leave 0").status == 0
            yield workers, log


@pytest.mark.parametrize(
    ("request_", "how", "status"),
    [
        (b"leave 0", "exited with status 0 before it answered", 0),
        (b"leave 3", "exited with status 3 before it answered", 3),
        (b"abort", "was killed by SIGABRT", -signal.SIGABRT),
        (b"segfault", "was killed by SIGSEGV", -signal.SIGSEGV),
        (b"signal_self 15", "was killed by SIGTERM", -15),
        (b"signal_self 1", "was killed by SIGHUP", -1),
        (b"signal_self 9", "was killed by SIGKILL", -9),
        (b"signal_self 40", "was killed by signal 40", -40),
        (b"raised KeyboardInterrupt", "raised KeyboardInterrupt: on purpose", 1),
        (b"raised GeneratorExit", "raised GeneratorExit: on purpose", 1),
        (b"raised SystemExit", "raised SystemExit: on purpose", 1),
        (b"raised MemoryError", "raised MemoryError: on purpose", 1),
        (b"raised ValueError", "raised ValueError: on purpose", 1),
        (b"unspeakable", "raised Unspeakable", 1),
        (b"nothing", "raised TypeError: forking_targets:act returned NoneType, not bytes", 1),
        (b"write_to_every_handle", "sent bytes that are no frame and was killed", -9),
        (b"close_handles", "closed its connection and was killed", -9),
    ],
)
def test_a_death_says_how(lasting_workers, request_, how, status):
    workers, log = lasting_workers
    earlier = len(log.read_text()) if log.exists() else 0
    event = death(workers, workers.fork(), request_)
    assert (event.how, event.status, event.oom) == (how, status, False)
    if how.startswith("raised"):
        assert "Traceback" in log.read_text()[earlier:]
    if status in (-signal.SIGABRT, -signal.SIGSEGV):
        assert "most recent call first" in log.read_text()[earlier:]
    witness = workers.fork()
    assert ask(workers, witness, b"echo next") == b"next"
    witness.kill()
    [event] = events_of(workers)
    assert event.worker is witness


def test_a_death_spares_the_others(any_workers):
    victim, witness = any_workers.fork(), any_workers.fork()
    witness.send(b"echo 1")
    events_of(any_workers)
    assert death(any_workers, victim, b"signal_self 9").status == -9
    assert ask(any_workers, witness, b"echo 2") == b"2"


def test_the_death_of_an_idle_worker_is_reported(any_workers):
    worker = any_workers.fork()
    ask(any_workers, worker, b"echo 1")
    os.kill(worker.pid, signal.SIGTERM)
    [event] = events_of(any_workers)
    assert event == Died(worker, "was killed by SIGTERM", -15)


def test_a_target_that_cannot_be_imported_is_named(start):
    for target, how in (
        ("no_such_module:act", "raised ModuleNotFoundError: No module named 'no_such_module'"),
        ("forking_targets:no_such", "raised AttributeError: module 'forking_targets' has no attribute 'no_such'"),
    ):
        with ForkServer(Start(target, start.log)) as workers:
            worker = workers.fork()
            [event] = events_of(workers)
            assert (event.worker, event.how) == (worker, how)


def test_a_child_that_comes_back_from_a_target_answers_nothing(workers):
    worker = workers.fork()
    assert ask(workers, worker, b"fork_and_return") == str(worker.pid).encode()
    assert ask(workers, worker, b"echo 1") == b"1"
    # Nor does what the child raised pass for the worker's.
    assert death(workers, worker, b"signal_self 9").how == "was killed by SIGKILL"


@pytest.mark.parametrize("at_once", [1, 2])
def test_killed_while_starting(workers, at_once):
    for _ in range(30):
        started = [workers.fork() for _ in range(at_once)]
        for worker in started:
            os.kill(worker.pid, signal.SIGKILL)
        events = events_of(workers, at_once)
        assert {(event.worker, event.how) for event in events} == {(w, "was killed by SIGKILL") for w in started}
    assert workers.wait(0.1) == []
    assert ask(workers, workers.fork(), b"echo 1") == b"1"


def test_killed_by_the_driver_while_starting_and_at_work(any_workers, tmp_path):
    starting, working = any_workers.fork(), any_workers.fork()
    starting.kill()
    working.send(b"hang " + bytes(tmp_path / "hangs"))
    until((tmp_path / "hangs").exists)
    working.kill()
    events = events_of(any_workers, 2)
    assert set(events) == {Died(worker, "was killed by SIGKILL", -9) for worker in (starting, working)}


def test_stopped_workers_can_be_killed(any_workers):
    worker = any_workers.fork()
    os.kill(worker.pid, signal.SIGSTOP)
    worker.kill()
    assert [event.how for event in events_of(any_workers)] == ["was killed by SIGKILL"]


@pytest.mark.parametrize("escape", [b"escape", b"escape_by_exec"])
@pytest.mark.parametrize("end", ["end", "kill", "status 0", "signal"])
def test_a_workers_processes_are_gone_when_its_end_is_reported(workers, tmp_path, escape, end):
    worker, other = workers.fork(), workers.fork()
    for number, one in enumerate((worker, other)):
        ask(workers, one, escape + b" " + bytes(tmp_path / str(number)))
    escaped, others = (int((tmp_path / str(number)).read_text()) for number in range(2))
    assert pid_is_alive(escaped)
    assert os.getsid(escaped) == escaped != os.getsid(worker.pid) or escape == b"escape"
    if end == "end":
        worker.end()
    elif end == "kill":
        worker.kill()
    elif end == "status 0":
        worker.send(b"leave 0")
    else:
        os.kill(worker.pid, signal.SIGKILL)
    [event] = events_of(workers)
    assert isinstance(event, WorkerEnded if end == "end" else Died)
    assert not pid_is_alive(escaped)
    # Another worker's is its own.
    assert pid_is_alive(others)
    assert ask(workers, other, b"echo 1") == b"1"
    workers.close()
    assert not pid_is_alive(others)


def test_a_server_that_is_killed_takes_its_workers_along_and_is_started_again(workers, tmp_path):
    idle, busy, escaping = [workers.fork() for _ in range(3)]
    busy.send(b"hang " + bytes(tmp_path / "hangs"))
    until((tmp_path / "hangs").exists)
    ask(workers, escaping, b"escape_by_exec " + bytes(tmp_path / "escaped"))
    escaped = int((tmp_path / "escaped").read_text())
    server = server_of(idle)
    server.kill()
    events = events_of(workers, 3)
    assert set(events) == {Died(worker, "lost its fork server", -9) for worker in (idle, busy, escaping)}
    assert not any(pid_is_alive(pid) for pid in (server.pid, idle.pid, busy.pid, escaping.pid, escaped))
    worker = workers.fork()
    assert server_of(worker).pid != server.pid
    assert ask(workers, worker, b"echo 1") == b"1"


def test_the_next_fork_starts_a_new_server_before_the_old_ones_end_is_reported(workers):
    old = workers.fork()
    server = server_of(old)
    server.kill()
    new = workers.fork()
    assert server_of(new).pid != server.pid
    assert events_of(workers) == [Died(old, "lost its fork server", -9)]
    assert ask(workers, new, b"echo 2") == b"2"


def test_an_answer_that_was_written_is_not_lost_with_the_server(workers):
    worker = workers.fork()
    worker.send(b"echo 1")
    # Not waited for: the answer lies in the socket.
    select.select([workers], [], [], DEADLINE)
    server_of(worker).kill()
    events = events_of(workers, 2)
    assert [type(event).__name__ for event in events] == ["Answered", "Died"]


def test_an_answer_comes_before_a_death_that_was_reported_first(workers):
    worker = workers.fork()
    worker.send(b"echo 1")
    select.select([workers], [], [], DEADLINE)
    os.kill(worker.pid, signal.SIGKILL)
    [server] = [one for one in workers._servers if worker.id in one.workers]
    select.select([server.control], [], [], DEADLINE)
    workers._on_control(server)
    assert [type(event).__name__ for event in events_of(workers, 2)] == ["Answered", "Died"]


def test_the_group_of_a_worker_ends_with_it(any_workers, tmp_path):
    worker = any_workers.fork()
    started = int(ask(any_workers, worker, b"start_program"))
    assert pid_is_alive(started)
    os.kill(worker.pid, signal.SIGKILL)
    events_of(any_workers)
    until(lambda: not pid_is_alive(started))


def test_a_server_that_cannot_live_is_an_error(start, tmp_path, monkeypatch):
    (tmp_path / "crashes.py").write_text("import os; os.abort()")
    monkeypatch.syspath_prepend(str(tmp_path))
    with (
        ForkServer(Start(start.target, start.log, preload=("crashes",))) as workers,
        pytest.raises(StartError, match="ended before it had forked"),
    ):
        workers.fork()


def test_a_server_that_is_killed_while_it_starts_is_started_again(start, tmp_path, monkeypatch):
    (tmp_path / "slow.py").write_text(
        "import os, signal\n"
        f"killed = {str(tmp_path / 'killed')!r}\n"
        "times = os.path.getsize(killed) if os.path.exists(killed) else 0\n"
        "if times < 6:\n"
        "    open(killed, 'a').write('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with ForkServer(Start(start.target, start.log, preload=("slow",))) as workers:
        assert ask(workers, workers.fork(), b"echo 1") == b"1"
    assert (tmp_path / "killed").stat().st_size == 6


def test_a_server_that_is_killed_whenever_it_starts_is_an_error(start, tmp_path, monkeypatch):
    (tmp_path / "killed.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.syspath_prepend(str(tmp_path))
    with (
        ForkServer(Start(start.target, start.log, preload=("killed",))) as workers,
        pytest.raises(StartError, match="ended before it had forked"),
    ):
        workers.fork()


def test_memory_kills_are_counted(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    for version, cgroup, file in (
        (2, "0::/a/b\n", "sys/fs/cgroup/a/b/memory.events"),
        (1, "4:cpu:/\n3:memory:/a\n0::/\n", "sys/fs/cgroup/memory/a/memory.oom_control"),
    ):
        (tmp_path / "proc/self/cgroup").write_text(cgroup)
        path = tmp_path / file
        path.parent.mkdir(parents=True)
        path.write_text("low 0\noom 4\noom_kill 4\n")
        kills = system.MemoryKills(tmp_path)
        assert not kills.rose(), version
        path.write_text("low 0\noom 6\noom_kill 6\n")
        assert kills.rose(), version
        assert not kills.rose(), version
        path.unlink()
        assert not kills.rose(), version


def test_without_control_groups_nothing_is_counted(tmp_path):
    assert not system.MemoryKills(tmp_path).rose()


@pytest.fixture
def little_memory():
    """A control group with a small memory limit; skips the test if this process may not create one."""
    group = Path(f"/sys/fs/cgroup/memory/tlbench-{os.urandom(4).hex()}")
    limits = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    if not group.parent.is_dir():
        group, limits = Path("/sys/fs/cgroup", group.name), ("memory.max", "memory.swap.max")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        try:
            (group / limits[0]).write_text(str(2**28))
            (group / limits[1]).write_text(str(2**28 if "memsw" in limits[1] else 0))
        except OSError as error:
            if not (group / limits[0]).exists():
                pytest.skip(f"no limit can be set: {error}")
        yield group
    finally:
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def test_a_worker_that_the_kernel_killed_for_its_memory(driver, little_memory):
    script = """
import os, sys
from pathlib import Path
Path(os.environ["GROUP"], "cgroup.procs").write_text(str(os.getpid()))
sys.path.insert(0, os.environ["TARGETS"])
from tlbench.running.forking import ForkServer, Start
with ForkServer(Start("forking_targets:act", Path(os.environ["LOG"]))) as workers:
    greedy, killed, asked = [workers.fork() for _ in range(3)]
    os.kill(killed.pid, 9)
    print(workers.wait(60)[0].oom)
    greedy.send(b"allocate")
    print(workers.wait(60)[0].oom)
    asked.kill()
    print(workers.wait(60)[0].oom)
print("ready", flush=True)
"""
    _, lines = driver(script, GROUP=str(little_memory))
    assert lines == ["False", "True", "False"]
