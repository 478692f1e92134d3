"""Test predictions as rows, and the scores made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tlbench.contracts.errors import TlbenchError
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Output, Predictions
from tlbench.contracts.record import ClassReport, TestScore
from tlbench.contracts.strategy import TaskInfo
from tlbench.contracts.task import Examples, Task
from tlbench.metrics.class_report import report_of
from tlbench.metrics.resampling import bootstrap, score
from tlbench.metrics.scored import Scored, objects
from tlbench.metrics.scored_arrays import scored_of
from tlbench.results.records.stored_predictions import columns_of, scored_in
from tlbench.running.scoring.prediction_files import write_table

GATHERED = "predictions.parquet"
SLICE_PREFIX = "slice."


def write_predictions(path: Path, seed: int, examples: Examples, scored: Scored) -> None:
    """Writes one row for each test example: seed, id, target, value, scores, and a column for each slice."""
    write_table(path, _table(seed, examples, scored))


def gather(folder: Path, answers: Mapping[int, Scored], examples: Examples) -> str:
    """Puts the predictions of all seeds into one file and returns its name."""
    write_table(folder / GATHERED, pa.concat_tables([_table(seed, examples, one) for seed, one in answers.items()]))
    return GATHERED


def stored_answers(
    table: pa.Table | None, examples: Examples, task: TaskInfo, metrics: Sequence[Metric]
) -> Scored | None:
    """Returns one seed's stored answers beside the examples' own targets, or None where they cannot be scored.

    A file may have been sent, or be damaged: ids and targets must be those of the examples.
    """
    if table is None:
        return None
    try:
        if table["id"].to_pylist() != [example.id for example in examples]:
            return None
        stored, targets = scored_in(table, task.positive), [example.target for example in examples]
        answers = _as_answers(targets, task.output)
        own = scored_of(
            task.output, targets, Predictions(tuple(example.id for example in examples), answers), task.positive
        ).targets
        if stored.targets.tolist() != own.tolist():
            return None
        scored = Scored(own, stored.values, stored.scores, task.positive)
        # Whatever cannot be scored raises here, and not when the cell is nearly done.
        for metric in metrics:
            score(metric, scored)
        report_of(task.output, [scored])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, pa.ArrowException, TlbenchError):
        return None
    return scored


def _as_answers(targets: Sequence[Any], output: Output) -> np.ndarray:
    """Returns answers that fit the targets, so that these can be read."""
    if output.answers == "texts":
        return objects([""] * len(targets))
    return objects(targets) if output.answers == "tags" else np.asarray(targets)


def scores(
    answers: Mapping[int, Scored], examples: Examples, task: Task, metrics: Sequence[Metric]
) -> tuple[tuple[TestScore, ...], ClassReport]:
    """Returns every metric of every seed, on the whole test split and on each slice, and the report on classes."""
    found: list[TestScore] = []
    slices = list(_slices(examples, task))
    for seed, whole in answers.items():
        parts = [(name, whole.take(rows)) for name, rows in slices]
        for metric in metrics:
            for name, part in [(None, whole), *parts]:
                value, interval = score(metric, part), bootstrap(metric, part)
                found.append(TestScore(metric.name, seed, value, *interval, len(part), name))
    return tuple(found), report_of(task.output, list(answers.values()))


def _table(seed: int, examples: Examples, scored: Scored) -> pa.Table:
    columns = columns_of(seed, [example.id for example in examples], scored)
    for name in sorted({name for example in examples for name in example.slices}):
        columns[f"{SLICE_PREFIX}{name}"] = [example.slices.get(name) for example in examples]
    return pa.table(columns)


def _slices(examples: Examples, task: Task) -> list[tuple[str, np.ndarray]]:
    found: list[tuple[str, np.ndarray]] = []
    for column in task.slices:
        names = np.asarray([example.slices.get(column) for example in examples], dtype=object)
        for name in sorted({name for name in names if name is not None}):
            found.append((f"{column}={name}", np.flatnonzero(names == name)))
    return found
