"""The observers on a stand-in for MLflow's client, which is not installed beside tlbench."""

import sys
import types

import pytest
import tlbench_mlflow.plugin as observer

from tlbench.testing.conformance import ObserverConformance
from tlbench.testing.conformance.observers.observer_conformance import CELL, example_fits, example_records


class Client:
    """MLflow's client, as far as the observers call it."""

    experiments, runs = {}, []

    def get_experiment_by_name(self, name):
        return self.experiments.get(name)

    def create_experiment(self, name):
        self.experiments[name] = types.SimpleNamespace(experiment_id=str(len(self.experiments)))
        return self.experiments[name].experiment_id

    def create_run(self, experiment_id, run_name, tags):
        self.runs.append({"experiment": experiment_id, "name": run_name, "tags": tags})
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=len(self.runs) - 1))

    def log_batch(self, run_id, metrics, params):
        self.runs[run_id].update(metrics=metrics, params=dict(params))

    def set_terminated(self, run_id, status):
        self.runs[run_id]["status"] = status


@pytest.fixture
def client(monkeypatch):
    for name in ("mlflow", "mlflow.entities", "mlflow.tracking"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["mlflow.entities"].Metric = lambda key, value, timestamp, step: (key, value, step)
    sys.modules["mlflow.entities"].Param = lambda key, value: (key, value)
    sys.modules["mlflow.tracking"].MlflowClient = Client
    monkeypatch.setattr(Client, "experiments", {})
    monkeypatch.setattr(Client, "runs", [])
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:9")
    return Client


@pytest.mark.usefixtures("client")
class TestObserver(ObserverConformance):
    plugin = observer
    imports = ("mlflow",)


def test_a_fit_and_a_record_are_runs_of_one_experiment(client):
    observer.tlbench_fitted(*example_fits()[0])
    observer.tlbench_recorded(CELL, example_records()[0])
    fit, cell = client.runs
    assert fit["experiment"] == cell["experiment"] == client.experiments["tlbench"].experiment_id
    assert fit["name"] == "tiny | tone | linear-probe | search 0, seed 0"
    assert fit["params"] == {"lr": "0.01", "kind": "adam", "bias": "True", "steps": "8"}
    assert fit["metrics"] == [("validation", 0.75, 0), ("fit_seconds", 0.0, 0), ("curve", 0.5, 1), ("curve", 0.75, 3)]
    assert fit["status"] == cell["status"] == "FINISHED"
    assert ("test_accuracy", 0.625, 0) in cell["metrics"]
    assert cell["tags"]["tlbench.cell"] == CELL.id


def test_failures_are_failed_runs(client):
    for order, result in example_fits():
        observer.tlbench_fitted(order, result)
    assert [run["status"] for run in client.runs] == ["FINISHED"] * 2 + ["FAILED"] * 3 + ["FINISHED"]


def test_without_an_address_nothing_is_written(client, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    observer.tlbench_recorded(CELL, example_records()[0])
    assert client.runs == []
