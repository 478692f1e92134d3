"""Test predictions on disk, and the scores made of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tlbench.contracts.outputs import Predictions
from tlbench.contracts.record import TestScore
from tlbench.contracts.task import Examples, Task
from tlbench.modeling import metrics, statistics
from tlbench.running.work import WorkFolder

GATHERED = "predictions.parquet"
SLICE_PREFIX = "slice."


def write_predictions(path: Path, seed: int, examples: Examples, predictions: Predictions) -> None:
    """Writes one row for each test example: seed, id, target, value, scores, and a column for each slice."""
    columns: dict[str, Any] = {
        "seed": [seed] * len(examples),
        "id": [example.id for example in examples],
        "target": [example.target for example in examples],
        "value": predictions.values.tolist(),
    }
    if predictions.scores is not None:
        columns["scores"] = predictions.scores.astype(np.float32).tolist()
    for name in sorted({name for example in examples for name in example.slices}):
        columns[f"{SLICE_PREFIX}{name}"] = [example.slices.get(name) for example in examples]
    _write(path, pa.table(columns))


def gather(work: WorkFolder, seeds: Sequence[int], examples: Examples) -> str:
    """Puts the seeds' predictions into one file and returns its name."""
    tables = [pq.read_table(work.predictions(seed)) for seed in seeds]
    if any(table.num_rows != len(examples) for table in tables):
        raise ValueError("stored predictions do not fit the test split: it changed while the cell was at work")
    _write(work.root / GATHERED, pa.concat_tables(tables))
    return GATHERED


def scores(work: WorkFolder, seeds: Sequence[int], task: Task) -> tuple[TestScore, ...]:
    """Returns every metric of every seed, on the whole test split and on each slice, with its interval."""
    found: list[TestScore] = []
    with tempfile.TemporaryDirectory(prefix="tlbench-") as cache:
        for seed in seeds:
            table = pq.read_table(work.predictions(seed))
            targets = np.asarray(table["target"].to_pylist())
            values = np.asarray(table["value"].to_pylist())
            for metric in task.metrics:
                for name, rows in _slices(table, task):
                    chosen, answers = targets[rows], values[rows]
                    if name is None:
                        value = metrics.compute(metric, chosen, answers, positive=task.positive, cache_dir=cache)
                    else:
                        value = statistics.score(metric, chosen, answers, task.positive)
                    low, high = statistics.bootstrap(metric, chosen, answers, task.positive)
                    found.append(TestScore(metric, seed, value, low, high, len(chosen), name))
    return tuple(found)


def _slices(table: pa.Table, task: Task) -> list[tuple[str | None, np.ndarray]]:
    found: list[tuple[str | None, np.ndarray]] = [(None, np.arange(table.num_rows))]
    for column in task.slices:
        if f"{SLICE_PREFIX}{column}" not in table.column_names:
            continue
        names = np.asarray(table[f"{SLICE_PREFIX}{column}"].to_pylist(), dtype=object)
        for name in sorted({name for name in names if name is not None}):
            found.append((f"{column}={name}", np.flatnonzero(names == name)))
    return found


def _write(path: Path, table: pa.Table) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
