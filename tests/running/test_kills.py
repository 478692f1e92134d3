"""After any process is killed at any moment, the same command finishes the run with the same scores."""

import random
import signal

import pytest

from tests.running.killing import (
    CELLS,
    ENDS,
    KINDS,
    SUITE,
    Run,
    assert_complete,
    kill_at_random,
    signal_at_random,
)
from tlbench.cli.app import _main
from tlbench.results.records.store import Store

PLUGINS = "tlbench.testing.toy_plugin,tlbench.testing.faults"


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", PLUGINS)


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "toys.toml").write_text(SUITE)
    return tmp_path / "toys.toml"


@pytest.fixture(scope="module")
def undisturbed_records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "toys.toml").write_text(SUITE)
    # One thread, as each of two workers on two cores: results differ between thread counts.
    arguments = ["--out", str(folder / "out"), "--executor", "inline", "--jobs", "64"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLBENCH_PLUGINS", PLUGINS)
        assert _main(["run", "--suite", str(folder / "toys.toml"), *arguments]) == 0
    return list(Store.open(folder / "out").records())


@pytest.fixture
def undisturbed(undisturbed_records, essence):
    return {record.cell.id: essence(record) for record in undisturbed_records}


def test_a_run_that_is_ended_by_signals_is_finished_by_the_same_command(suite, tmp_path, undisturbed, essence):
    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL]
    statuses = signal_at_random(suite, tmp_path / "out", 1, numbers)
    assert statuses == [ENDS[number] for number in numbers[: len(statuses)]]
    assert len(statuses) > 1
    assert_complete(tmp_path / "out", undisturbed, essence)


def test_a_run_whose_processes_are_killed_loses_no_cell(suite, tmp_path, undisturbed, essence):
    kinds = [kind for kind in KINDS if "driver" not in kind]
    assert kill_at_random(suite, tmp_path / "out", 2, kills=5, kinds=kinds) > 1
    assert_complete(tmp_path / "out", undisturbed, essence)


def test_two_runs_at_once_share_the_work_and_do_each_cell_once(suite, tmp_path, undisturbed, essence):
    both = [Run(suite, tmp_path / "out") for _ in range(2)]
    assert [run.ended() for run in both] == [0, 0]
    assert_complete(tmp_path / "out", undisturbed, essence)


@pytest.fixture
def long_suite(tmp_path):
    """Enough work for many kills."""
    (tmp_path / "long.toml").write_text(
        SUITE.replace("rounds=20000", "rounds=100000").replace("trials = 5", "trials = 30")
    )
    return tmp_path / "long.toml"


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
def test_soak_random_kills(long_suite, tmp_path, essence, seed):
    out, calm = tmp_path / "out", tmp_path / "calm"
    assert Run(long_suite, calm).ended() == 0
    undisturbed = {record.cell.id: essence(record) for record in Store.open(calm).records()}
    killed = kill_at_random(long_suite, out, seed, kills=25)
    print(f"killed {killed} times")
    assert killed == 25
    assert_complete(out, undisturbed, essence)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["kills", "signals"])
def test_soak_drivers(long_suite, tmp_path, essence, kind):
    out, calm = tmp_path / "out", tmp_path / "calm"
    assert Run(long_suite, calm).ended() == 0
    undisturbed = {record.cell.id: essence(record) for record in Store.open(calm).records()}
    rng = random.Random(kind)
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    numbers = [signal.SIGKILL if kind == "kills" else rng.choice(signals) for _ in range(20)]
    statuses = signal_at_random(long_suite, out, 5, numbers)
    assert statuses == [ENDS[number] for number in numbers]
    assert len(undisturbed) == CELLS
    assert_complete(out, undisturbed, essence)
