"""Memory that runs out: smaller parts of batches in a fresh process, a limit that is kept, and deaths told apart."""

import pytest

from tlbench.contracts.executor import Fit, FitOrder, WorkerLost
from tlbench.planning.capacity import Room
from tlbench.running.forking import Died
from tlbench.running.lost_worker import DEVICE_LOST, lost_worker
from tlbench.running.memory.memory_guard import MemoryGuard
from tlbench.running.memory.oom_ladder import OomLadder
from tlbench.running.run import Settings
from tlbench.testing.process_faults import HoardingStrategy
from tlbench.testing.toys import ToyFit


@pytest.fixture
def hungry(runs, monkeypatch):
    """Runs whose strategy `toy-fit` runs out of memory in less than a number of parts."""
    fit = ToyFit.fit

    def with_parts(parts, **what):
        def hungrily(self, job):
            import torch

            if job.batch_parts < parts:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB on purpose")
            return fit(self, job)

        monkeypatch.setattr(ToyFit, "fit", hungrily)
        monkeypatch.setattr(ToyFit, "train_batch_size", 16, raising=False)
        return runs.one("toy-fit", **what)

    return with_parts


@pytest.mark.parametrize(("parts", "trials"), [(2, 3), (4, 1)])
def test_batches_are_halved_at_most_twice_and_the_record_says_so(hungry, parts, trials):
    record = hungry(parts, trials=trials, seeds=2)
    assert record.status == "ok", record.reason
    assert {fit.batch_parts for fit in (*record.fits, *record.trials)} == {parts}
    assert f"memory ran out with batches of 16 rows, so they were trained in {parts} parts" in record.reason


def test_what_needs_more_is_oom_with_its_batches_named(hungry):
    record = hungry(8, trials=1, seeds=1)
    assert record.status == "oom"
    assert "memory ran out with batches of 16 rows, and with parts of 8 and of 4 rows too" in record.reason


def test_a_fit_without_batches_is_tried_once_more(runs):
    record = runs.one("toy-oom")
    assert record.status == "oom"
    assert record.reason.endswith("memory ran out, in a fresh process too")


def order_of(fits=1, purpose="search", **more):
    from tlbench.contracts.cell import Cell, Protocol, Ref

    cell = Cell(Ref("t"), Ref("s"), Protocol())
    return FitOrder(cell, purpose, tuple(Fit(n, 0, {}) for n in range(fits)), worker="w", **more)


def test_a_pass_of_several_fits_is_tried_in_halves_and_scoring_as_it_is():
    halves = OomLadder(None).again(order_of(5))
    assert [len(one.fits) for one in halves] == [3, 2]
    assert {(one.attempt, one.worker) for one in halves} == {(2, "")}
    (whole,) = OomLadder(None).again(order_of(5, "score"))
    assert len(whole.fits) == 5
    assert OomLadder(None).again(order_of(5, attempt=3)) == []
    assert OomLadder(1).again(order_of()) == [], "a batch of one row has no parts"


def test_the_next_order_after_memory_ran_out_gets_a_fresh_process(tmp_path):
    from tlbench.running.executors import Isolated
    from tlbench.testing.conformance.executor import ExecutorConformance, _run, order

    class Suite(ExecutorConformance):
        executor = Isolated()
        workers = 1

    with Suite().started(tmp_path) as started:
        names = [
            _run(started, order(strategy, Fit(0, 0, {"lr": 0.01, "steps": 4}), tmp_path)).worker
            for strategy in ("toy-oom", "toy-oom", "toy-oom")
        ]
    assert len(set(names)) == 3


def test_a_fit_that_eats_memory_ends_alone_within_the_limit(runs, monkeypatch, tmp_path):
    planned = runs.plan(["toy-hoarding", "toy-fit", "toy-tune"], trials=2)
    settings = Settings("isolated", 1, "cpu", room=Room(1_200_000_000))
    runs.go(planned, settings)
    records = {one.cell.strategy.name: one for one in runs.store.records()}
    assert [records[name].status for name in ("toy-fit", "toy-tune")] == ["ok", "ok"]
    assert records["toy-hoarding"].status == "oom"
    reason = records["toy-hoarding"].reason
    assert "of memory, with 1.1 GiB for it (--max-memory), and was ended: memory ran out" in reason
    held = float(reason.partition("held ")[2].split()[0])
    assert held < 2 * 1.2, "the guard looks often enough"
    assert HoardingStrategy().most_gigabytes > held


def test_the_guard_looks_at_the_machine_too(tmp_path):
    import os
    import subprocess
    import sys

    (tmp_path / "meminfo").write_text("MemTotal: 1000000 kB\nMemAvailable: 1000 kB\n")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        folder = tmp_path / str(child.pid)
        folder.mkdir()
        (folder / "status").write_text("RssAnon:  2048 kB\nRssShmem: 0 kB\nVmSwap: 0 kB\n")
        guard = MemoryGuard(None, tmp_path)
        guard.add(child.pid)
        assert child.wait(60) == -9
        assert "with only 1000.0 KiB left on this machine, and was ended" in guard.remove(child.pid)
        guard.close()
        assert guard.remove(os.getpid()) == ""
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    ("died", "verdict", "oom", "text"),
    [
        (("was killed by SIGKILL", -9), "held 3 GiB", True, "held 3 GiB"),
        (("was killed by SIGKILL", -9, True), "", True, "by the kernel, because memory ran out"),
        (("was killed by SIGKILL", -9), "", False, "from outside, and not for lack of memory"),
        (("was killed by SIGTERM", -15), "", False, "from outside"),
        (("was killed by SIGSEGV", -11), "", False, "a crash in native code"),
        (("exited with status 3 before it answered", 3), "", False, "exited with status 3 before it answered"),
        (("exited with status 70 before it answered", DEVICE_LOST), "", False, "lost its GPU"),
        (("lost its fork server", -9), "", False, "lost its fork server"),
    ],
)
def test_deaths_are_told_apart(died, verdict, oom, text):
    lost = lost_worker(Died(None, *died), verdict)
    assert isinstance(lost, WorkerLost)
    assert (lost.oom, text in str(lost)) == (oom, True)


def test_workers_are_what_the_kernel_kills_first():
    import os
    from pathlib import Path

    from tlbench.running.forking.linux import prefer_for_memory_kills

    pid = os.fork()
    if not pid:
        prefer_for_memory_kills()
        os._exit(int(Path("/proc/self/oom_score_adj").read_text()) != 500)
    assert os.waitpid(pid, 0)[1] == 0
