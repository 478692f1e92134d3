"""Observers that write each cell as a run of a Weights & Biases project, with a step for each fit."""

from __future__ import annotations

import os
from typing import Any

from tlbench import Cell, FitOrder, FitResult, Record, TrackedRun, hookimpl

_open: dict[str, Any] = {}
"""The runs of cells that are not finished, by the id of the cell."""

tlbench_api = (1, 0)


@hookimpl
def tlbench_fitted(order: FitOrder, result: FitResult) -> None:
    """Adds a step with the params, validation score and learning curve of a fit to the run of its cell."""
    if not os.environ.get("WANDB_PROJECT"):
        return
    if run := _run_of(tracked := TrackedRun.of_fit(order, result)):
        fit = {"kind": tracked.kind, "trial": result.trial, "seed": result.seed, "status": tracked.status}
        params = {f"params/{name}": value for name, value in tracked.params.items()}
        run.log({**fit, **params, **tracked.metrics, "curve": [list(point) for point in tracked.curve]})


@hookimpl
def tlbench_recorded(cell: Cell, record: Record) -> None:
    """Adds the winner's params and the test scores, seconds and memory to the run of a cell, and ends it."""
    if run := _run_of(tracked := TrackedRun.of_record(cell, record)):
        run.config.update(dict(tracked.params))
        run.summary.update({"status": tracked.status, **tracked.metrics})
        run.finish(exit_code=0 if tracked.status == "ok" else 1)
        del _open[tracked.cell]


def _run_of(tracked: TrackedRun) -> Any:
    """Returns the run of a cell, which may be new; None if no project is set."""
    if not os.environ.get("WANDB_PROJECT"):
        return None
    if tracked.cell not in _open:
        import wandb

        names = {"name": tracked.title, "tags": [tracked.cell], "config": {"cell": tracked.cell}}
        _open[tracked.cell] = wandb.init(reinit="create_new", **names)
    return _open[tracked.cell]
