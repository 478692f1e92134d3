"""A driver that dies at any moment leaves no process behind."""

import os
import signal

import psutil
import pytest

from tests.running.forking.conftest import DEADLINE, is_alive, until

SCRIPT = """
import os, sys, time
sys.path.insert(0, os.environ["TARGETS"])
from pathlib import Path
from tlbench.running.forking import {kind}, Start
workers = {kind}(Start("forking_targets:act", Path(os.environ["LOG"])))
started = [workers.fork(modules={modules}) for _ in range(3)]
started[0].send({request})
started[1].send(b"echo 1")
while not workers.wait(0.1): pass
print("ready", flush=True)
while True: {then}
"""


def descendants(process):
    return [one for one in psutil.Process(process.pid).children(recursive=True) if is_alive(one)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("kind", "modules"), [("ForkServer", ()), ("ForkServer", ("wave",)), ("SpawnServer", ())])
def test_a_killed_driver_leaves_no_process(driver, tmp_path, kind, modules, number):
    request = b"hang " + bytes(tmp_path / "there")
    if kind == "ForkServer":
        request = b"escape_and_hang " + bytes(tmp_path / "there")
    process, _ = driver(SCRIPT.format(modules=modules, kind=kind, request=request, then="workers.wait(1)"))
    until((tmp_path / "there").exists)
    # What escapes forks twice: the process between is there for a moment.
    until(lambda: len(descendants(process)) == (5 + len(modules) if kind == "ForkServer" else 3))
    family = descendants(process)
    process.send_signal(number)
    process.wait(DEADLINE)
    until(lambda: not any(map(is_alive, family)))


@pytest.mark.parametrize("modules", [(), ("wave",)])
def test_a_driver_and_a_server_killed_at_once_leave_no_worker(driver, tmp_path, modules):
    request = b"hang " + bytes(tmp_path / "hangs")
    process, _ = driver(SCRIPT.format(modules=modules, kind="ForkServer", request=request, then="workers.wait(1)"))
    until((tmp_path / "hangs").exists)
    family = descendants(process)
    [server] = psutil.Process(process.pid).children()
    # Stopped, so that it can do nothing about the server's end.
    process.send_signal(signal.SIGSTOP)
    server.kill()
    until(lambda: not any(map(is_alive, family)))


def test_a_driver_that_ends_without_closing_leaves_no_process(driver, tmp_path):
    then = "time.sleep(0.01); Path(os.environ['LOG'] + '.go').exists() and sys.exit()"
    process, _ = driver(SCRIPT.format(modules=(), kind="ForkServer", request=b"hang", then=then))
    family = descendants(process)
    assert len(family) == 4
    (tmp_path / "log.go").touch()
    process.wait(DEADLINE)
    until(lambda: not any(map(is_alive, family)))


def test_a_driver_killed_while_its_server_imports_leaves_no_process(driver, tmp_path):
    (tmp_path / "slow.py").write_text("import time; open(__file__[:-2] + 'here', 'w'); time.sleep(3600)")
    script = """
import os, sys, threading
from pathlib import Path
from tlbench.running.forking import ForkServer, Start
sys.path.insert(0, str(Path(os.environ["LOG"]).parent))
print("ready", flush=True)
ForkServer(Start("forking_targets:act", Path(os.environ["LOG"]), preload=("slow",))).fork()
"""
    process, _ = driver(script)
    until((tmp_path / "slow.here").exists)
    family = descendants(process)
    assert len(family) == 1
    process.kill()
    until(lambda: not any(map(is_alive, family)))


def test_a_child_of_the_driver_that_lives_on_keeps_no_worker_alive(driver, tmp_path):
    # It holds the driver's end of the control socket and of every worker's.
    script = SCRIPT.format(modules=(), kind="ForkServer", request=b"hang", then="workers.wait(1)").replace(
        'print("ready"', 'forked = os.fork()\nif not forked: time.sleep(3600)\nprint(forked)\nprint("ready"'
    )
    process, lines = driver(script)
    child = psutil.Process(int(lines[-1]))
    family = [one for one in descendants(process) if one.pid != child.pid]
    assert len(family) == 4
    process.kill()
    until(lambda: not any(map(is_alive, family)))
    assert is_alive(child)
    child.kill()


def test_interrupts_are_the_drivers(driver):
    process, _ = driver(SCRIPT.format(modules=(), kind="ForkServer", request=b"hang", then="workers.wait(1)"))
    family = descendants(process)
    for one in family:
        one.send_signal(signal.SIGINT)
    assert process.poll() is None
    assert all(map(is_alive, family))
    process.kill()
    until(lambda: not any(map(is_alive, family)))


def test_no_file_is_left(driver, tmp_path):
    for folder in ("temporary", "empty"):
        (tmp_path / folder).mkdir()
    shared = set(os.listdir("/dev/shm"))
    then = "workers.close(0.1); print('closed', flush=True); time.sleep(3600)"
    script = SCRIPT.format(modules=(), kind="ForkServer", request=b"hang", then=then)
    process, _ = driver(script, cwd=tmp_path / "empty", TMPDIR=str(tmp_path / "temporary"))
    assert process.stdout.readline() == "closed\n"
    assert descendants(process) == []
    assert not [*(tmp_path / "temporary").iterdir(), *(tmp_path / "empty").iterdir()]
    assert {name for name in set(os.listdir("/dev/shm")) - shared if name.startswith(("sem.", "psm_", "pym"))} == set()
