"""The observers beside a real MLflow server on this machine: `make test-services`."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from tlbench_mlflow import plugin as observer

from tlbench.testing.conformance.observers.observer_conformance import CELL, example_fits, example_records

pytest.importorskip("mlflow.server", reason="mlflow is not installed: make test-services has an environment with it")
START_SECONDS = 120
"""Limit for the server's start, which imports hundreds of modules."""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
               "--artifacts-destination", str(folder),
               "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as server:
        try:
            _await(f"http://127.0.0.1:{port}/health", server, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _await(url, server, log):
    """Returns once the server answers; fails if it ends or takes too long."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start:\n{log.read_text()[-2000:]}")


def test_fits_and_records_can_be_read_back(address, monkeypatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "a night")
    for order, result in example_fits():
        observer.tlbench_fitted(order, result)
    for record in example_records():
        observer.tlbench_recorded(record.cell, record)
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("a night")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == len(example_fits()) + len(example_records())
    (fit,) = [run for run in runs if run.info.run_name == f"{CELL.title} | search 0, seed 0"]
    assert fit.data.params == {"lr": "0.01", "kind": "adam", "bias": "True", "steps": "8"}
    assert fit.data.metrics["validation"] == 0.75
    assert [(one.step, one.value) for one in client.get_metric_history(fit.info.run_id, "curve")] == [
        (1, 0.5),
        (3, 0.75),
    ]
    best = client.search_runs(
        [experiment.experiment_id], "metrics.test_accuracy > 0.6 and tags.`tlbench.kind` = 'cell'"
    )
    assert [run.data.tags["tlbench.cell"] for run in best] == [CELL.id]
