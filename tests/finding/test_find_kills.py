"""A search whose processes are killed ends with the answer of one that was left alone."""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.running.forking.conftest import default_signals

ROOT = Path(__file__).parents[2]
MARK = "TLBENCH_TEST_FIND"
PATIENCE_SECONDS = 200


def start(out, mark):
    """Starts a search as a subprocess, whose processes are known by a mark in their environment."""
    plugins = "tlbench.testing.toy_plugin,tlbench.testing.faults,tests.finding.conftest"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "tlbench", "find", "toy-tone", "-b", "toy", "-S", "toy-fit", "-S", "toy-tune"]
    command += ["-S", "toy-slow[rounds=20000]", "--policy", "in-order", "--minutes", "60", "-j", "2", "--json"]
    return subprocess.Popen(
        [*command, "-o", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", MARK: mark, "PYTHONPATH": path, "TLBENCH_PLUGINS": plugins},
        preexec_fn=default_signals,  # noqa: PLW1509
    )


def answer_of(process):
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    return json.loads(out)


def finished(out):
    return len(list(out.glob("find/*/fits/*/outcome.json"))) + len(list(out.glob("work/*/final-*.json")))


def marked(mark):
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_kills_at_any_moment_change_nothing(tmp_path):
    whole = answer_of(start(tmp_path / "whole", secrets.token_hex(8)))
    rng, out, killed = random.Random(3), tmp_path / "killed", 0
    for _ in range(20):
        mark, before = secrets.token_hex(8), finished(out)
        process = start(out, mark)
        # Each process gets something done, so that the search ends; then the kill may hit any moment.
        ends = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and finished(out) == before and time.monotonic() < ends:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 0.5))
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        killed += 1
        process.wait()
        # The workers of a driver that died end with it.
        psutil.wait_procs(marked(mark), timeout=30)
        assert not marked(mark)
    assert killed >= 4
    answer = answer_of(start(out, secrets.token_hex(8)))
    for name in ("params", "validation", "cell", "seeds", "test"):
        assert answer["winner"][name] == whole["winner"][name]
    assert [one["fit"] for one in answer["tied"]] == [one["fit"] for one in whole["tied"]]
    fits = [json.loads(one.read_text()) for one in sorted(out.glob("find/*/fits/*/proposal.json"))]
    assert len({json.dumps([one["candidate"], one["params"], one["part"]]) for one in fits}) == len(fits) == 5
