"""Observers that write each fit and each finished cell as a run of an MLflow experiment. Imports nothing heavy."""

from __future__ import annotations

import os
import time

from tlbench import Cell, FitOrder, FitResult, Record, TrackedRun, hookimpl

tlbench_api = (1, 0)


@hookimpl
def tlbench_fitted(order: FitOrder, result: FitResult) -> None:
    """Writes a run with the params, validation score and learning curve of a fit."""
    if _is_asked_for():
        _log(TrackedRun.of_fit(order, result))


@hookimpl
def tlbench_recorded(cell: Cell, record: Record) -> None:
    """Writes a run with the winner's params and the test scores, seconds and memory of a cell."""
    if _is_asked_for():
        _log(TrackedRun.of_record(cell, record))


def _is_asked_for() -> bool:
    # Without an address MLflow would write into the current folder.
    return bool(os.environ.get("MLFLOW_TRACKING_URI"))


def _log(run: TrackedRun) -> None:
    # A server that is down must not hold up the run: MLflow's own defaults wait for minutes, for each fit.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    client, name, now = MlflowClient(), os.environ.get("MLFLOW_EXPERIMENT_NAME") or "tlbench", int(time.time() * 1000)
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name)
    tags = {
        "tlbench.cell": run.cell,
        "tlbench.title": run.title,
        "tlbench.kind": run.kind,
        "tlbench.status": run.status,
    }
    key = client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
    metrics = [Metric(name, value, now, 0) for name, value in run.metrics.items()]
    metrics += [Metric("curve", score, now, step) for step, score in run.curve]
    client.log_batch(key, metrics=metrics, params=[Param(name, str(value)) for name, value in run.params.items()])
    client.set_terminated(key, "FINISHED" if run.status in {"ok", "pruned"} else "FAILED")
