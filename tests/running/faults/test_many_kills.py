"""Workers and drivers killed at random, and several drivers at once; `make test-faults` has the long forms.

TLBENCH_TEST_KILLS scales the long forms (1 for all of it), and TLBENCH_TEST_SEED draws other moments.
"""

import csv
import os
import random
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.running.killing import Run, kill_at_random
from tlbench.cli.app import _main
from tlbench.results.records.store import Store

PLUGINS = "tlbench.testing.toy_plugin,tlbench.testing.faults,counting_plugin"
SHARE = float(os.environ.get("TLBENCH_TEST_KILLS", "1"))
SEED = int(os.environ.get("TLBENCH_TEST_SEED", "0"))
MEASURED = re.compile(r"second|byte|joule|time|memory|^cell$|energy")
"""Names of columns of the leaderboard that are measured, or that no run changes."""


@pytest.fixture
def fits(tmp_path, monkeypatch):
    """The file to which workers append a line for each fit."""
    folder = str(Path(__file__).parent.parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH", "")])))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("TLBENCH_PLUGINS", PLUGINS)
    monkeypatch.setenv("TLBENCH_TEST_FITS", str(tmp_path / "fits"))
    return tmp_path / "fits"


def suite_of(folder, tasks, trials, seeds, strategies=("counting",)):
    path = folder / "kills.toml"
    names = ", ".join(f'"toy-tone[train={64 + number}]"' for number in range(tasks))
    listed = ", ".join(f'"{name}"' for name in strategies)
    path.write_text(
        f"[protocol]\ntrials = {trials}\nseeds = {seeds}\n[[cells]]\ntasks = [{names}]\n"
        f'backbones = ["toy"]\nstrategies = [{listed}]\n'
    )
    return path


def table_of(out, capsys):
    """Returns the rows of a folder's leaderboard without what is measured."""
    capsys.readouterr()
    assert _main(["leaderboard", "--all", "-f", "csv", "--out", str(out)]) == 0
    rows = csv.DictReader(capsys.readouterr().out.splitlines())
    kept = [{name: value for name, value in row.items() if not MEASURED.search(name)} for row in rows]
    assert len(kept[0]) > 10
    return sorted(kept, key=str)


def committed(out):
    """Returns how often the logs of all drivers say that a cell was committed, by cell."""
    lines = (out / "work" / "run.log").read_text().splitlines()
    return Counter(match[1] for line in lines if (match := re.search(r"tlbench\.running\.committing: (.*): ok$", line)))


def check_worker_kills(folder, fits, tasks, trials, kills, seed):
    suite, out = suite_of(folder, tasks, trials, seeds=2), folder / "out"
    killed = 0
    while killed < kills:
        # Another run, in the same folder or a new one, where the work was done before all kills were made.
        done = kill_at_random(suite, folder / f"out-{killed}", seed + killed, kills - killed, ("worker", "newborn"), 2)
        out = folder / f"out-{killed}"
        records = list(Store.open(out).records())
        assert len(records) == tasks
        assert {record.status for record in records} == {"ok"}
        assert all(record.attempt == 1 for record in records)
        assert set(committed(out).values()) == {1}, "a cell was committed twice"
        ordered = tasks * (trials + 2)
        assert len(fits.read_text().splitlines()) <= ordered + done, "a fit was repeated without need"
        fits.unlink()
        killed += done
        if not done:
            break
    return killed


def test_workers_are_killed_at_random(tmp_path, fits):
    assert check_worker_kills(tmp_path, fits, tasks=3, trials=4, kills=4, seed=SEED) >= 1


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_workers_are_killed_at_random(tmp_path, fits):
    wanted = int(200 * SHARE)
    killed = check_worker_kills(tmp_path, fits, tasks=12, trials=20, kills=wanted, seed=SEED)
    print(f"{killed} workers killed, no fit lost, no cell committed twice, at most one more fit for each kill")
    assert killed >= wanted


def check_driver_kills(folder, capsys, tasks, trials, kills, seed):
    suite, out = suite_of(folder, tasks, trials, 2, ("toy-tune", "toy-slow[rounds=20000]")), folder / "out"
    rng, killed = random.Random(seed), 0
    while killed < kills:
        run = Run(suite, out)
        # From before the first worker is there to the middle of a later cell.
        goal = run.finished_fits() + rng.randint(0, 3)
        if not run.wait_for(lambda: rng.random() < 0.02 or run.finished_fits() >= goal):  # noqa: B023
            run.ended()
            break
        assert run.signalled(signal.SIGKILL) == -9
        killed += 1
    assert Run(suite, out).ended() == 0
    calm = folder / "calm"
    assert Run(suite, calm).ended() == 0
    assert table_of(out, capsys) == table_of(calm, capsys)
    assert set(committed(out).values()) == {1}
    return killed


def test_the_driver_is_killed_at_random(tmp_path, fits, capsys):
    assert check_driver_kills(tmp_path, capsys, tasks=2, trials=3, kills=2, seed=SEED) >= 1


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_driver_is_killed_fifty_times(tmp_path, fits, capsys):
    wanted = int(50 * SHARE)
    killed = check_driver_kills(tmp_path, capsys, tasks=12, trials=12, kills=wanted, seed=SEED)
    print(f"{killed} drivers killed, the final table is that of an undisturbed run")
    assert killed >= wanted


def check_three_drivers(folder, fits, tasks, trials):
    suite, out = suite_of(folder, tasks, trials, seeds=1), folder / "out"
    assert [run.ended() for run in [Run(suite, out) for _ in range(3)]] == [0, 0, 0]
    records = list(Store.open(out).records())
    assert len(records) == len(list((out / "records").glob("*.json"))) == tasks
    assert {(record.status, record.attempt) for record in records} == {("ok", 1)}
    assert set(committed(out).values()) == {1}
    # The winner is fitted again where the worker that holds its predictor has ended.
    assert len(fits.read_text().splitlines()) <= tasks * (trials + 1)
    return tasks


def test_three_drivers_share_a_folder(tmp_path, fits):
    check_three_drivers(tmp_path, fits, tasks=6, trials=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_three_drivers_share_five_hundred_cells(tmp_path, fits):
    cells = check_three_drivers(tmp_path, fits, tasks=int(500 * SHARE), trials=2)
    print(f"three drivers, {cells} cells with tuning, none committed twice")
