"""Several drivers on the same cells: the same search as of one driver, and every cell recorded once."""

import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tlbench import Float
from tlbench.cli import app
from tlbench.contracts.cell import Protocol
from tlbench.contracts.record import FitResult, Provenance
from tlbench.results.records.store import Store
from tlbench.running.search.study import Search
from tlbench.running.sharing import claims_database, shared_studies
from tlbench.running.sharing.claims_database import ClaimsDatabase
from tlbench.running.sharing.shared_search import SharedSearch
from tlbench.running.sharing.shared_studies import CellTaken, SharedStudies

PATIENCE_SECONDS = 240.0
PASSWORD = "a-secret-word"
SPACE = {"lr": Float(1e-4, 1e-1, log=True)}


class Cluster:
    """Starts drivers with folders of their own, which share one database."""

    def __init__(self, server, folder):
        self.server, self.folder, self.drivers = server, folder, []

    def options(self, cells):
        tasks = [part for number in range(cells) for part in ("-t", f"toy-tone[draw={number}]")]
        return ["-b", "toy", *tasks, "-S", "toy-fit", "--no-baseline", "--trials", "5", "--seeds", "1"]

    def start(self, name, options):
        out = ["--out", str(self.folder / name), "--storage", self.server.url]
        command = [sys.executable, "-m", "tlbench", "run", *options, *out, "--executor", "isolated", "--jobs", "1"]
        log = (self.folder / f"{name}.log").open("w")
        self.drivers.append(subprocess.Popen(command, stdout=log, stderr=log))
        return self.drivers[-1]

    def recorded(self, names):
        """Returns the names of all records in these folders, and how often each is there."""
        return Counter(path.name for name in names for path in (self.folder / name / "records").glob("*.json"))

    def logs(self):
        return [path.read_text()[-2000:] for path in self.folder.glob("*.log")]

    def until(self, condition):
        deadline = time.monotonic() + 10 * PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.logs()
            assert all(driver.poll() is None for driver in self.drivers), self.logs()
            time.sleep(0.1)


@pytest.fixture
def cluster(database, tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")
    monkeypatch.setenv("TLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cluster = Cluster(database, tmp_path)
    yield cluster
    for driver in cluster.drivers:
        driver.kill()
        driver.wait()


def shared(database, place, identity="cell", **protocol):
    """Returns a search of a toy function that is shared over the database, and what is told by it."""
    studies = SharedStudies(ClaimsDatabase(database.url, place))
    search = Search(identity, Protocol(**{"trials": 12, "lag": 4, **protocol}), SPACE, {}, 1.0)
    return SharedSearch(search, studies.cell(identity, 1), [], Provenance, lambda provenance: None), studies


def fitted(trial):
    score = -abs(trial.params["lr"] - 0.01)
    return FitResult(trial.params, 0, "search", trial.number, "ok", validation=score)


def test_two_drivers_make_the_search_that_one_makes(database, monkeypatch):
    monkeypatch.setattr(shared_studies, "_LOOK_SECONDS", 0.0)
    alone = Search("cell", Protocol(trials=12, lag=4), SPACE, {}, 1.0)
    expected = []
    while (trial := alone.ask()) is not None:
        expected.append(trial.params)
        alone.tell(trial.number, fitted(trial))
    drivers = [shared(database, f"machine:{number}") for number in range(2)]
    seen, made = [{}, {}], Counter()
    with drivers[0][1]._database.alive(), drivers[1][1]._database.alive():
        turn = 0
        while not all(search.is_complete for search, _ in drivers):
            turn += 1
            assert turn < 500
            # Unequal turns: the first driver is three times as fast.
            number = 1 if turn % 4 == 0 else 0
            search = drivers[number][0]
            if (trial := search.ask()) is None:
                continue
            result = trial.result or fitted(trial)
            made[trial.number] += trial.result is None
            assert search.publish(result)
            search.tell(trial.number, result)
            seen[number][trial.number] = trial.params
        assert [[params[number] for number in sorted(params)] for params in seen] == [expected, expected]
        assert made == Counter(range(12))
        shares = drivers[0][0].drivers()
        assert sum(shares.values()) == 12
        assert len(shares) == 1  # both drivers are this process
        # The end of the cell is one driver's alone.
        drivers[1][1].cell("cell", 1).claim_end()
        with pytest.raises(CellTaken):
            drivers[0][1].cell("cell", 1).claim_end()
        assert drivers[1][1].may_commit("cell", 1)
        assert drivers[1][1].may_commit("cell", 1)
        assert not drivers[0][1].may_commit("cell", 1)
        assert drivers[0][1].recorded_elsewhere == {"cell": "machine:1"}


def test_a_trial_whose_driver_has_died_is_made_by_another(database, monkeypatch):
    monkeypatch.setattr(shared_studies, "_LOOK_SECONDS", 0.0)
    first, studies = shared(database, "machine:0", lag=1)
    with studies._database.alive():
        left = first.ask()
        second, others = shared(database, "machine:1", lag=1)
        with others._database.alive():
            assert second.ask() is None
            monkeypatch.setattr(claims_database, "SILENT_SECONDS", 0.0)
            taken = second.ask()
            assert (taken.number, taken.params, taken.result) == (left.number, left.params, None)
            assert second.publish(fitted(taken))
            second.tell(taken.number, fitted(taken))
            # The first was only slow: its result comes too late, and it takes the other's.
            assert not first.publish(fitted(left))
            assert first.ask().result == fitted(taken)


def test_drivers_record_every_cell_once_although_the_server_is_killed(cluster):
    options = cluster.options(4)
    for name in ("a", "b"):
        cluster.start(name, options)
    cluster.until(lambda: cluster.recorded("ab"))
    cluster.server.kill()
    assert cluster.server.start() == 0
    assert [driver.wait(PATIENCE_SECONDS) for driver in cluster.drivers] == [0, 0], cluster.logs()
    assert len(cluster.recorded("ab")) == 4
    assert set(cluster.recorded("ab").values()) == {1}
    union = cluster.folder / "union"
    folders = [str(cluster.folder / name) for name in "ab"]
    assert app._main(["merge", *folders, "--out", str(union)]) == 0
    assert app._main(["run", *options, "--executor", "inline", "--out", str(cluster.folder / "alone")]) == 0
    alone = {record.cell.id: record for record in Store.open(cluster.folder / "alone").records()}
    for record in Store.open(union).records():
        one = alone[record.cell.id]
        assert [(t.trial, t.params, t.validation) for t in record.trials] == [
            (t.trial, t.params, t.validation) for t in one.trials
        ]
        assert (record.best_params, record.scores) == (one.best_params, one.scores)
        assert sum(record.drivers.values()) == 5
        assert one.drivers == {}
    written = [path for path in cluster.folder.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]


@pytest.mark.soak
def test_500_cells_on_two_drivers_are_recorded_once(cluster):
    options = cluster.options(500)
    for name in ("a", "b"):
        cluster.start(name, options)
    for share in (20, 200):
        cluster.until(lambda share=share: len(cluster.recorded("ab")) > share)
        cluster.server.kill()
        assert cluster.server.start() == 0
    # A driver is killed as well, and started again.
    cluster.until(lambda: len(cluster.recorded("ab")) > 300)
    cluster.drivers.pop(0).kill()
    cluster.start("a", options)
    assert [driver.wait(3600) for driver in cluster.drivers] == [0, 0], cluster.logs()
    assert len(cluster.recorded("ab")) == 500
    assert set(cluster.recorded("ab").values()) == {1}


def test_storage_is_refused_where_it_cannot_work(capsys, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin")
    arguments = ["run", "-t", "toy-tone", "-b", "toy", "-S", "toy-fit"]
    assert app._main([*arguments, "--storage", "mysql://host/x"]) == 2
    assert "postgresql://HOST/DATABASE" in capsys.readouterr().err
    assert app._main([*arguments, "--storage", "postgresql://host/x", "--submit"]) == 2
    assert "does not go with --submit" in capsys.readouterr().err


def test_500_cells_have_one_commit_each_although_the_server_is_killed(database, monkeypatch):
    monkeypatch.setattr(shared_studies, "_LOOK_SECONDS", 0.0)
    cells, granted, reached = [f"{number:016x}" for number in range(500)], [], threading.Event()

    def drive(place, order):
        with shared_studies.shared_studies(database.url, place) as studies:
            for cell in order:
                with suppress(CellTaken):
                    studies.cell(cell, 1).claim_end()
                # Also a driver that does not have the cell asks, as one that is late would.
                # Appended, since adding to a counter in two threads would lose one of them.
                if studies.may_commit(cell, 1):
                    granted.append(cell)
                if len(granted) > 200:
                    reached.set()

    # From both ends, so that they meet in the middle and each asks for what the other has.
    orders = {Path("/a"): cells, Path("/b"): cells[::-1]}
    drivers = [threading.Thread(target=drive, args=pair, daemon=True) for pair in orders.items()]
    for driver in drivers:
        driver.start()
    assert reached.wait(120)
    database.kill()
    assert database.start() == 0
    for driver in drivers:
        driver.join(200)
    assert Counter(granted) == Counter(cells)
