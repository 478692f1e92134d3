"""Branches: fork servers that import modules for the workers of one backbone."""

import select

import psutil
import pytest

from tests.running.forking.conftest import DEADLINE, ask, events_of, is_alive, server_of
from tlbench.running.forking import Died, ForkServer, Start


@pytest.fixture
def branching(start):
    with ForkServer(start) as workers:
        yield workers


def imported(workers, worker):
    return set(ask(workers, worker, b"modules").decode().split())


def test_workers_have_the_modules_that_were_asked_for_and_no_others(branching):
    plain, waves, colours = (branching.fork(modules=modules) for modules in ((), ("wave",), ("colorsys", "wave")))
    later = branching.fork()
    assert not {"wave", "colorsys"} & imported(branching, plain)
    assert {"wave", "colorsys"} & imported(branching, waves) == {"wave"}
    assert {"wave", "colorsys"} <= imported(branching, colours)
    assert not {"wave", "colorsys"} & imported(branching, later)


def test_workers_for_which_the_same_is_asked_have_one_server(branching):
    first, other, second = (branching.fork(modules=modules) for modules in (("wave",), (), ("wave",)))
    assert server_of(first) == server_of(second) != server_of(other)
    assert server_of(first).parent() == server_of(other)


def test_a_branch_that_is_killed_takes_only_its_own_workers_along(branching):
    plain, waves = branching.fork(), branching.fork(modules=("wave",))
    branch = server_of(waves)
    branch.kill()
    assert events_of(branching) == [Died(waves, "lost its fork server", -9)]
    assert not is_alive(branch)
    assert ask(branching, plain, b"echo 1") == b"1"
    again = branching.fork(modules=("wave",))
    assert "wave" in imported(branching, again)
    assert server_of(again).parent() == server_of(plain)


def test_a_server_that_is_killed_takes_its_branches_along(branching):
    workers = [branching.fork(), branching.fork(modules=("wave",)), branching.fork(modules=("colorsys",))]
    family = [psutil.Process(worker.pid) for worker in workers] + [server_of(worker) for worker in workers]
    server_of(workers[0]).kill()
    assert set(events_of(branching, 3)) == {Died(worker, "lost its fork server", -9) for worker in workers}
    assert not any(map(is_alive, family))
    assert "wave" in imported(branching, branching.fork(modules=("wave",)))


@pytest.mark.parametrize("both", [False, True])
def test_the_next_fork_needs_no_word_of_the_dead(branching, both):
    old = branching.fork(modules=("wave",))
    branch = server_of(old)
    server = branch.parent()
    branch.kill()
    if both:
        server.kill()
    new = branching.fork(modules=("wave",))
    assert ask_after_deaths(branching, new, b"echo 2") == b"2"
    assert server_of(new) != branch


def ask_after_deaths(workers, worker, request):
    worker.send(request)
    for event in events_of(workers, 2):
        if not isinstance(event, Died):
            answer = event.answer
    return answer


def test_a_module_that_cannot_be_imported_is_named_and_hinders_nobody(start, tmp_path, monkeypatch):
    (tmp_path / "breaks.py").write_text("raise ImportError('not on this machine')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with ForkServer(Start(start.target, start.log, preload=("no_such_module",))) as workers:
        worker = workers.fork(modules=("breaks", "wave"))
        assert "wave" in imported(workers, worker)
        assert workers.failed["breaks"] == "ImportError: not on this machine"
        assert set(workers.failed) == {"breaks", "no_such_module"}


def test_one_that_kills_its_process_in_its_import_is_an_error(start, tmp_path, monkeypatch):
    from tlbench.running.forking import StartError

    (tmp_path / "ends.py").write_text("import os; os._exit(3)")
    monkeypatch.syspath_prepend(str(tmp_path))
    with ForkServer(start) as workers:
        plain = workers.fork()
        with pytest.raises(StartError):
            workers.fork(modules=("ends",))
        assert ask(workers, plain, b"echo 1") == b"1"


def test_an_import_that_never_ends_is_an_error_and_holds_up_nobody_for_ever(start, tmp_path, monkeypatch):
    from tlbench.running.forking import ImportsFailedError, client

    (tmp_path / "endless.py").write_text("import time; time.sleep(600)")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(client, "IMPORT_SECONDS", 0.5)
    with ForkServer(start) as workers:
        plain = workers.fork()
        with pytest.raises(ImportsFailedError, match=r"took more than 0\.5 s"):
            workers.fork(modules=("endless",))
        assert ask(workers, plain, b"echo 1") == b"1"
        assert "wave" in imported(workers, workers.fork(modules=("wave",)))


def test_reports_of_a_branch_before_its_death_count(branching):
    left, other = branching.fork(modules=("wave",)), branching.fork(modules=("wave",))
    branch = server_of(left)
    left.send(b"leave 3")
    [server] = [one for one in branching._servers if left.id in one.workers]
    select.select([server.control], [], [], DEADLINE)  # the branch has told of it
    branch.kill()
    assert set(events_of(branching, 2)) == {
        Died(left, "exited with status 3 before it answered", 3),
        Died(other, "lost its fork server", -9),
    }


def test_prestart_begins_the_imports_and_close_does_not_wait_for_them(start, tmp_path, monkeypatch):
    (tmp_path / "endless.py").write_text("import time; time.sleep(600)")
    monkeypatch.syspath_prepend(str(tmp_path))
    workers = ForkServer(Start(start.target, start.log, preload=("endless",)))
    workers.prestart()
    [server] = psutil.Process().children()
    workers.close()
    assert not is_alive(server)
