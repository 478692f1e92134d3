"""Fixtures that run toy cells in a temporary folder."""

from pathlib import Path

import pytest

from tests.running.killing import Run as RunProcess
from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import UsageError
from tlbench.planning.plan import plan
from tlbench.planning.suite import Patch, Suite, SuiteBlock
from tlbench.results.records.store import Store
from tlbench.running.run import Settings, pending_attempts, run, started_executor


@pytest.fixture(autouse=True)
def _no_run_outlives_its_test():
    """Ends what a failed test has left of runs in processes of their own."""
    yield
    RunProcess.stop_all()


class Runs:
    """Plans and runs toy cells in one results folder."""

    def __init__(self, folder):
        self.folder = folder
        self.catalog = Catalog.discover()

    @property
    def store(self):
        return Store.create(self.folder)

    def plan(self, strategies, tasks=("toy-tone",), backbones=("toy",), space=None, **protocol):
        block = SuiteBlock(tasks=tuple(tasks), strategies=tuple(strategies), backbones=tuple(backbones))
        planned = plan(Suite((block,), "toys", protocol=Patch(**protocol), space=space or {}), self.catalog)
        if planned.skips:
            raise UsageError(str(planned.skips))
        return planned

    def run(self, strategies, executor="inline", fresh="none", jobs=1, keep_models="none", retry=(), **what):
        planned = self.plan(strategies, **what)
        settings = Settings(executor, jobs, "cpu", fresh, keep_models=keep_models, retry=retry)
        self.ran = self.go(planned, settings)
        return [self.store.record(cell.id) for cell in planned.cells]

    def attempts(self, planned, settings):
        """Returns the attempts of a run without running them."""
        with started_executor(planned, self.store, self.catalog, settings) as executor:
            return pending_attempts(planned, self.store, self.catalog, settings, executor.capacity())

    def go(self, planned, settings, delivered=lambda record: None):
        """Runs the cells of a plan that have no record; returns their number."""
        with started_executor(planned, self.store, self.catalog, settings) as executor:
            attempts = pending_attempts(planned, self.store, self.catalog, settings, executor.capacity())
            run(planned, attempts, self.store, self.catalog, settings, executor, delivered)
        return len(attempts)

    def one(self, strategy, **what):
        (record,) = self.run([strategy], **what)
        return record


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults")
    return Runs(tmp_path / "out")


def essence(record):
    """Returns the parts of a record that interruptions must not change: everything except measurements."""
    return {
        "status": record.status,
        "params": record.best_params,
        "validation": record.validation,
        "scores": record.scores,
        "trials": [(t.trial, t.params, t.status, t.validation) for t in record.trials],
        "fits": [(f.seed, f.params, f.validation) for f in record.fits],
    }


@pytest.fixture(name="essence")
def essence_fixture():
    return essence


@pytest.fixture
def counted(runs, tmp_path, monkeypatch):
    """Runs with a plugin that counts fits: `made()` returns the seeds fitted since its last call."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,tlbench.testing.faults,counting_plugin")
    noted = tmp_path / "fits"
    monkeypatch.setenv("TLBENCH_TEST_FITS", str(noted))
    runs.catalog = type(runs.catalog).discover()

    def made():
        lines = noted.read_text().splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        return [int(line.split()[0]) for line in lines]

    runs.made = made
    return runs
