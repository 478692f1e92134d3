"""Runs of toy cells on a cluster, which a test disturbs while their fits are under way."""

import os
import threading
import time
from collections import Counter
from pathlib import Path

from holding_plugin import BEGUN, ENDED, GO
from tlbench_ray.plugin import RayCluster

from tlbench.catalog.catalog import Catalog
from tlbench.planning.plan import plan
from tlbench.planning.suite import Patch, Suite, SuiteBlock
from tlbench.results.records.store import Store
from tlbench.running.run import Settings, pending_attempts, run, started_executor

PATIENCE_SECONDS = float(os.environ.get("TLBENCH_TEST_PATIENCE", "100"))


def lines(path):
    return len(path.read_text().split()) if path.exists() else 0


def eventually(condition, what):
    """Waits for a condition that another process brings about."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {PATIENCE_SECONDS:g} s"
        time.sleep(0.02)


def essence(record):
    """Returns what machines that leave must not change in a record."""
    trials = [(trial.trial, trial.params, trial.status, trial.validation) for trial in record.trials]
    return record.status, record.attempt, record.best_params, record.scores, trials


class ClusterRun:
    """A run of toy cells whose fits wait for `go`."""

    def __init__(self, folder, monkeypatch, address, workers, trials=6, asked=None):
        monkeypatch.syspath_prepend(str(Path(__file__).parent))
        monkeypatch.setenv("TLBENCH_PLUGINS", "tlbench.testing.toy_plugin,holding_plugin")
        folder.mkdir(parents=True, exist_ok=True)
        self.begun, self.go, self.ended = folder / "begun", folder / "go", folder / "ended"
        for variable, path in ((BEGUN, self.begun), (GO, self.go), (ENDED, self.ended)):
            monkeypatch.setenv(variable, str(path))
        self.catalog, self.store = Catalog.discover(), Store.create(folder / "out")
        block = SuiteBlock(tasks=("toy-tone", "toy-count"), strategies=("holding",), backbones=("toy",))
        protocol = Patch(trials=trials, seeds=2, sampler="random")
        self.plan = plan(Suite((block,), "toys", protocol=protocol), self.catalog)
        self.address, self.workers, self.asked = address, workers, asked or workers
        self.commits = Counter()
        self.executor = None

    def carry_out(self, disturb=lambda run: None, refused=0):
        """Runs all cells, and waits until the executor has refused so many answers.

        `disturb` is called in a thread once as many fits have begun as there are workers.
        """
        name = f"ray[address={self.address},workers={self.asked}]"
        settings = Settings(name, None, "cpu")

        over = threading.Event()
        wrong = []

        def watch():
            try:
                eventually(lambda: lines(self.begun) >= self.workers or over.is_set(), "a fit on every worker")
                if not over.is_set():
                    disturb(self)
            except BaseException as error:
                wrong.append(error)
                # Otherwise the fits, and with them the test, would wait for ever.
                self.go.touch()

        with started_executor(self.plan, self.store, self.catalog, settings) as self.executor:
            # It starts with the first worker; the others follow as their machines have imported the libraries.
            eventually(lambda: self.executor.capacity().workers == self.workers, "the start of all workers")
            attempts = pending_attempts(self.plan, self.store, self.catalog, settings, self.executor.capacity())
            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                run(self.plan, attempts, self.store, self.catalog, settings, self.executor, self._committed)
            finally:
                over.set()
                self.go.touch()
                watcher.join()
            if wrong:
                raise wrong[0]

            def has_refused():
                self.executor.capacity()  # takes in what has come
                return self.executor.refused >= refused

            eventually(has_refused, f"{refused} late answers")
        return [self.store.record(cell.id) for cell in self.plan.cells]

    def _committed(self, record):
        self.commits[record.cell.id] += 1

    def expected(self):
        """Returns the essence of the records of an undisturbed run in this process, in another folder."""
        self.go.touch()
        store = Store.create(self.store.root.with_name("undisturbed"))
        settings = Settings("inline", 64, "cpu")
        with started_executor(self.plan, store, self.catalog, settings) as executor:
            attempts = pending_attempts(self.plan, store, self.catalog, settings, executor.capacity())
            run(self.plan, attempts, store, self.catalog, settings, executor)
        return [essence(store.record(cell.id)) for cell in self.plan.cells]

    def assert_all_once(self, records):
        """Asserts that every cell was committed once, with the scores of an undisturbed run, and nothing is left."""
        assert self.commits == {cell.id: 1 for cell in self.plan.cells}
        assert len(list(self.store.records())) == len(self.plan.cells)
        assert [essence(record) for record in records] == self.expected()
        assert not list(self.store.root.glob("work/*/.saved-*")), "folders of lost attempts are left"


def cut_off(run, node):
    """Has the driver give up a machine that it cannot reach: nothing there is killed, and its answers come late."""

    class Unreachable:
        def __getattr__(self, name):
            raise ConnectionError("the machine cannot be reached")

    def drop():
        from tlbench import WorkerLost

        actors = [node, *node.slots]
        kept = [one.actor for one in actors]
        for one in actors:
            one.actor = Unreachable()
        run.executor._workers.drop_node(node, WorkerLost("was cut off"))
        run.unreachable = [*getattr(run, "unreachable", []), *kept]  # alive as long as somebody refers to them

    run.executor._workers._events.put(drop)


__all__ = ["ClusterRun", "RayCluster", "cut_off", "essence", "eventually", "lines"]
