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

from tlbench.contracts.errors import TlbenchError
from tlbench.contracts.outputs import Predictions, Span, Text, TokenClasses
from tlbench.contracts.record import ClassReport, TestScore
from tlbench.contracts.strategy import TaskInfo
from tlbench.contracts.task import Examples, Task
from tlbench.modeling import metrics, statistics
from tlbench.modeling.scored import Scored, objects, scored_of
from tlbench.results.answers import columns_of, scored_in
from tlbench.running.class_report import class_report
from tlbench.running.work import WorkFolder

GATHERED = "predictions.parquet"
SLICE_PREFIX = "slice."


def write_predictions(path: Path, seed: int, examples: Examples, scored: Scored) -> None:
    """Writes one row for each test example: seed, id, target, value, scores, and a column for each slice."""
    columns = columns_of(seed, [example.id for example in examples], scored)
    for name in sorted({name for example in examples for name in example.slices}):
        columns[f"{SLICE_PREFIX}{name}"] = [example.slices.get(name) for example in examples]
    write_table(path, pa.table(columns))


def gather(work: WorkFolder, seeds: Sequence[int], examples: Examples) -> str:
    """Puts the seeds' predictions into one file and returns its name."""
    tables = [pq.read_table(work.predictions(seed)) for seed in seeds]
    if any(table.num_rows != len(examples) for table in tables):
        raise ValueError("stored predictions do not fit the test split: it changed while the cell was at work")
    write_table(work.root / GATHERED, pa.concat_tables(tables))
    return GATHERED


def scores(work: WorkFolder, seeds: Sequence[int], task: Task) -> tuple[tuple[TestScore, ...], ClassReport]:
    """Returns every metric of every seed, on the whole test split and on each slice, and the report on classes."""
    found: list[TestScore] = []
    answers: list[Scored] = []
    with tempfile.TemporaryDirectory(prefix="tlbench-") as cache:
        for seed in seeds:
            table = pq.read_table(work.predictions(seed))
            whole = scored_in(table, task.positive)
            answers.append(whole)
            parts = [(name, whole.take(rows)) for name, rows in _slices(table, task)]
            for metric in task.metrics:
                value = metrics.compute(metric, whole, cache_dir=cache)
                found.append(TestScore(metric, seed, value, *statistics.bootstrap(metric, whole), len(whole)))
                for name, part in parts:
                    value, interval = statistics.score(metric, part), statistics.bootstrap(metric, part)
                    found.append(TestScore(metric, seed, value, *interval, len(part), name))
    return tuple(found), class_report(task.output, answers)


def _slices(table: pa.Table, task: Task) -> list[tuple[str, np.ndarray]]:
    found: list[tuple[str, np.ndarray]] = []
    for column in task.slices:
        if f"{SLICE_PREFIX}{column}" not in table.column_names:
            continue
        names = np.asarray(table[f"{SLICE_PREFIX}{column}"].to_pylist(), dtype=object)
        for name in sorted({name for name in names if name is not None}):
            found.append((f"{column}={name}", np.flatnonzero(names == name)))
    return found


def stored_answers(table: pa.Table | None, examples: Examples, task: TaskInfo) -> Scored | None:
    """Returns one seed's stored answers beside the examples' own targets, or None where they cannot be scored.

    A file may have been sent, or be damaged: ids and targets must be those of the examples.
    """
    if table is None:
        return None
    try:
        if table["id"].to_pylist() != [example.id for example in examples]:
            return None
        stored, targets = scored_in(table, task.positive), [example.target for example in examples]
        answers = objects([""] * len(targets)) if isinstance(task.output, Span | Text) else _as_answers(targets, task)
        own = scored_of(
            task.output, targets, Predictions(tuple(example.id for example in examples), answers), task.positive
        ).targets
        if stored.targets.tolist() != own.tolist():
            return None
        scored = Scored(own, stored.values, stored.scores, task.positive)
        # Whatever cannot be scored raises here, and not when the cell is nearly done.
        for metric in task.metrics:
            statistics.score(metric, scored)
        class_report(task.output, [scored])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, pa.ArrowException, TlbenchError):
        return None
    return scored


def _as_answers(targets: Sequence[Any], task: TaskInfo) -> np.ndarray:
    return objects(targets) if isinstance(task.output, TokenClasses) else np.asarray(targets)


def write_table(path: Path, table: pa.Table) -> None:
    """Writes a Parquet file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
