"""Workers and servers are killed at random: each request gets one answer or one death."""

import os
import random
import signal

import psutil
import pytest

from tests.running.forking.conftest import DEADLINE, pid_is_alive
from tlbench.running.forking import Answered, Died, ForkServer, WorkerEnded

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP)


def hurt(workers, draw, victim):
    """Kills or stops a worker, or its server."""
    bad = draw.choice(["kill", "signal", "signal", "server", "stop", "end"])
    # What it was is gone by now, perhaps.
    try:
        if bad == "kill":
            victim.kill()
        elif bad == "signal":
            os.kill(victim.pid, draw.choice(SIGNALS))
        elif bad == "end":
            victim.end()
        elif bad == "stop":
            os.kill(victim.pid, signal.SIGSTOP)
            victim.kill()
        elif draw.random() < 0.2:
            parent = psutil.Process(victim.pid).parent()
            if parent is not None and parent.pid != os.getpid():
                draw.choice([one for one in (parent, parent.parent()) if one.pid != os.getpid()]).kill()
    except (ProcessLookupError, psutil.NoSuchProcess):
        pass


def run(workers, draw, requests):
    """Gets this many requests answered while workers are being killed; returns the number of deaths."""
    left, at, answers, gone = list(range(requests)), {}, {}, []
    pids = set()
    while len(answers) < requests:
        while len(workers.workers) < 4:
            worker = workers.fork(f"soak {len(gone)}", modules=draw.choice([(), ("wave",), ("wave", "colorsys")]))
            pids.add(worker.pid)
            if draw.random() < 0.1:
                os.kill(worker.pid, signal.SIGKILL)
        for worker in list(workers.workers):
            if not worker.is_busy and left and worker not in at:
                try:
                    number = left.pop()
                    request = b"echo %d %s" % (number, b"x" * draw.choice([0, 300_000]))
                    worker.send(draw.choice([request, request, request, b"leave 0"]))
                    at[worker] = number
                except RuntimeError:
                    # Asked to end.
                    left.append(number)
        if draw.random() < 0.3:
            hurt(workers, draw, draw.choice(sorted(workers.workers, key=lambda one: one.id)))
        events = workers.wait(draw.choice([0, 0.001, DEADLINE if at else 0]))
        for event in events:
            number = at.pop(event.worker, None)
            if isinstance(event, Answered):
                assert event.answer.split()[0] == b"%d" % number
                assert number not in answers
                answers[number] = event.answer
                continue
            assert isinstance(event, Died | WorkerEnded)
            assert event.worker not in gone
            assert not pid_is_alive(event.worker.pid) or event.worker.pid in {one.pid for one in workers.workers}
            gone.append(event.worker)
            if number is not None:
                assert isinstance(event, Died)
                left.append(number)
    workers.close()
    assert not [pid for pid in pids if pid_is_alive(pid) and psutil.Process(pid).ppid() == os.getpid()]
    return gone


def test_random_kills(start):
    with ForkServer(start) as workers:
        assert run(workers, random.Random(0), 60)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(1, 9))
def test_soak_random_kills(start, seed):
    with ForkServer(start) as workers:
        assert len(run(workers, random.Random(seed), 1500)) > 100
