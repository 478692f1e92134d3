"""Ctrl-C stores what comes within seconds; a second one stops at once; `--retry` runs cells of some statuses again."""

import os
import signal
import threading

import pytest

from tlbench.cli.app import _main
from tlbench.running import interruption
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.dispatch import Dispatcher
from tlbench.running.interruption import Interruption
from tlbench.testing.process_faults import CRASHED


@pytest.fixture(autouse=True)
def handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_signal_waits_and_the_second_acts():
    with Interruption() as held:
        signal.raise_signal(signal.SIGINT)
        assert held.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with Interruption() as held:
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        held.finish()


def test_a_block_can_be_left_at_once():
    with pytest.raises(KeyboardInterrupt), Interruption() as held, held.at_once():
        signal.raise_signal(signal.SIGINT)
    assert held.requested


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption() as held:
        signal.raise_signal(signal.SIGINT)
    assert not held.requested
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_is_left_alone():
    found = []

    def look():
        with Interruption():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_results_that_come_after_ctrl_c_are_kept(runs, monkeypatch):
    """One of two fits ends within the drain; its trial is stored, and the other is given up."""
    monkeypatch.setattr(interruption, "DRAIN_SECONDS", 60.0)
    monkeypatch.setattr("tlbench.running.dispatch.DRAIN_SECONDS", 60.0)
    commit = Dispatcher._commit_finished
    sent = []

    def interrupting(self):
        if len(self._in_flight) == 2 and not sent:
            sent.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        return commit(self)

    monkeypatch.setattr(Dispatcher, "_commit_finished", interrupting)
    with pytest.raises(KeyboardInterrupt):
        runs.one("toy-slow[rounds=3000]", trials=12, executor="isolated", jobs=2)
    (folder,) = (runs.folder / "work").glob("*.1")
    assert len(CellFolder(folder).trials()) == 2, "those that were running, and no further one"
    monkeypatch.setattr(Dispatcher, "_commit_finished", commit)
    assert runs.one("toy-slow[rounds=3000]", trials=12, executor="isolated", jobs=2).status == "ok"


def test_a_second_signal_ends_the_drain(runs, monkeypatch):
    drain = Dispatcher._drain

    def interrupted(self):
        os.kill(os.getpid(), signal.SIGINT)
        drain(self)

    commit = Dispatcher._commit_finished
    sent = []

    def interrupting(self):
        if self._in_flight and not sent:
            sent.append(True)
            os.kill(os.getpid(), signal.SIGINT)
        return commit(self)

    monkeypatch.setattr("tlbench.running.dispatch.DRAIN_SECONDS", 3600.0)
    monkeypatch.setattr(Dispatcher, "_drain", interrupted)
    monkeypatch.setattr(Dispatcher, "_commit_finished", interrupting)
    # Without the second signal, the drain would wait for a fit of hours.
    with pytest.raises(KeyboardInterrupt):
        runs.one("toy-slow[rounds=1000000000]", executor="isolated", jobs=1)


def run_command(runs, *more):
    names = [part for name in ("toy-failing", "toy-oom", "toy-exiting", "toy-majority") for part in ("-S", name)]
    arguments = ["run", "-t", "toy-tone", "-b", "toy", *names, "--no-baseline", "--device", "cpu"]
    return _main([*arguments, "--out", str(runs.folder), "--jobs", "1", *more])


def test_retry_runs_cells_of_the_named_statuses_again(runs, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(CRASHED, str(tmp_path / "crashes"))
    assert run_command(runs) == 1
    said = capsys.readouterr().err
    assert "`tlbench run --retry " in said

    def attempts():
        return {record.cell.strategy.name: record.attempt for record in runs.store.records()}

    first = {"toy-failing": 1, "toy-oom": 1, "toy-exiting": 1, "toy-majority": 1}
    assert attempts() == first
    assert run_command(runs, "--retry", "oom,timeout", "--retry", "failed") == 1
    assert attempts() == {**first, "toy-oom": 2, "toy-failing": 2}
    capsys.readouterr()
    assert run_command(runs, "--retry", "ok") == 2
    assert capsys.readouterr().err == (
        "tlbench: --retry ok: no status of a cell without a score; give diverged, oom, timeout, failed, crashed\n"
    )


def test_a_retry_goes_on_from_what_is_finished(counted, monkeypatch):
    monkeypatch.setenv("TLBENCH_TEST_FAILS", "1")
    assert counted.one("counting", trials=3, seeds=2).status == "failed"
    monkeypatch.delenv("TLBENCH_TEST_FAILS")
    counted.made()
    record = counted.one("counting", trials=3, seeds=2, retry=("failed",))
    assert (record.status, record.attempt) == ("ok", 2)
    assert counted.made() == [1], "the trials and the first seed's fit are reused"
