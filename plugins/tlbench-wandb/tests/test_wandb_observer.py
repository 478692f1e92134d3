"""The observers on a stand-in for wandb, which is not installed beside tlbench."""

import sys
import types

import pytest
import tlbench_wandb.plugin as observer

from tlbench.testing.conformance import ObserverConformance
from tlbench.testing.conformance.observers.observer_conformance import CELL, example_fits, example_records


class Run:
    """A run of wandb, as far as the observers use it."""

    def __init__(self, **settings):
        self.settings, self.config, self.summary, self.steps, self.exit_code = settings, {}, {}, [], None

    def log(self, values):
        self.steps.append(values)

    def finish(self, exit_code):
        self.exit_code = exit_code


@pytest.fixture
def started(monkeypatch):
    """Returns the runs that were started."""
    runs = []
    fake = types.ModuleType("wandb")

    def init(**settings):
        runs.append(Run(**settings))
        return runs[-1]

    fake.init = init
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setattr(observer, "_open", {})
    monkeypatch.setenv("WANDB_PROJECT", "tests")
    return runs


@pytest.mark.usefixtures("started")
class TestObserver(ObserverConformance):
    plugin = observer
    imports = ("wandb",)


def test_a_cell_is_one_run_with_a_step_for_each_fit(started):
    for order, result in example_fits():
        observer.tlbench_fitted(order, result)
    observer.tlbench_recorded(CELL, example_records()[0])
    (run,) = started
    assert run.settings["name"] == CELL.title
    assert [(step["kind"], step["trial"], step["status"]) for step in run.steps[:2]] == [
        ("search", 0, "ok"),
        ("search", 1, "pruned"),
    ]
    assert run.steps[0]["params/lr"] == 0.01
    assert run.steps[0]["curve"] == [[1, 0.5], [3, 0.75]]
    assert len(run.steps) == len(example_fits())
    assert run.summary["test_accuracy"] == 0.625
    assert run.exit_code == 0


def test_a_cell_without_a_score_is_a_failed_run(started):
    failed = example_records()[-1]
    observer.tlbench_recorded(failed.cell, failed)
    assert (started[0].exit_code, started[0].summary["status"]) == (1, "crashed")


def test_without_a_project_nothing_is_started(started, monkeypatch):
    monkeypatch.delenv("WANDB_PROJECT")
    observer.tlbench_recorded(CELL, example_records()[0])
    assert started == []
