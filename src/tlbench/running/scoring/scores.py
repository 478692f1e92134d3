"""Test predictions as rows, and the scores made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tlbench.contracts.errors import Diverged, PluginError, TlbenchError
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Output, Predictions
from tlbench.contracts.record import ClassReport, TestScore
from tlbench.contracts.strategy import TaskInfo
from tlbench.contracts.task import Examples, Task
from tlbench.metrics import METRICS
from tlbench.metrics.class_report import report_of
from tlbench.metrics.resampling import bootstrap, score
from tlbench.metrics.scored import Scored, checked, objects
from tlbench.metrics.scored_arrays import scored_of
from tlbench.results.records.stored_predictions import columns_of, scored_in
from tlbench.running.scoring.prediction_files import write_table

GATHERED = "predictions.parquet"
SLICE_PREFIX = "slice."
_NAMED = 3
"""How many of the scores that are left out are named in one line."""


class SplitScores(NamedTuple):
    """What was computed of the answers to a test split."""

    scores: tuple[TestScore, ...]
    report: ClassReport
    left_out: str
    """One line on scores that could not be computed; empty where all were."""


def write_predictions(path: Path, seed: int, examples: Examples, scored: Scored) -> None:
    """Writes one row for each test example: seed, id, target, value, scores, and a column for each slice."""
    write_table(path, _table(seed, examples, scored))


def gather(folder: Path, answers: Mapping[int, Scored], examples: Examples) -> str:
    """Puts the predictions of all seeds into one file and returns its name."""
    write_table(folder / GATHERED, pa.concat_tables([_table(seed, examples, one) for seed, one in answers.items()]))
    return GATHERED


class Misfit(Exception):
    """Stored answers that cannot be scored; its message is one line that says why."""


def stored_answers(table: pa.Table | None, examples: Examples, task: TaskInfo, metrics: Sequence[Metric]) -> Scored:
    """Returns one seed's stored answers beside the examples' own targets.

    A file may have been sent, or be damaged: ids and targets must be those of the examples.

    Raises:
        Misfit: They cannot be scored.
    """
    if table is None:
        raise Misfit("its file of predictions is missing, or cannot be read")
    with _told("its file holds no predictions"):
        ids, stored = table["id"].to_pylist(), scored_in(table, task.positive)
    if ids != [example.id for example in examples]:
        raise Misfit(
            f"its file has answers to {len(ids)} examples, which are not the {len(examples)} of the test split"
        )
    kind = type(task.output).__name__
    with _told(f"{kind}.arrays takes no right answers"):
        targets = [example.target for example in examples]
        right = Predictions(tuple(ids), _as_answers(targets, task.output))
        own = scored_of(task.output, targets, right, task.positive).targets
    for name, kept, target in zip(ids, stored.targets.tolist(), own.tolist(), strict=True):
        if kept != target:
            raise Misfit(
                f"the target of {name} is {kept!r} in its file and {target!r} in the test split: either the file is of "
                f"another split, or the targets that {kind}.arrays gives depend on the answers"
            )
    scored = Scored(own, stored.values, stored.scores, task.positive)
    # What cannot be scored raises here, and not when the cell is nearly done. What a plugin's metric raises may be its
    # own mistake, which no other fit mends, and so may be a number too large for one of tlbench's own.
    for metric in metrics:
        with _told(f"the metric {metric.name}"):
            fitting = checked(metric, scored)
            if METRICS.get(metric.name) is metric:
                with suppress(Diverged):
                    score(metric, fitting)
    with _told(f"{kind}.report"):
        report_of(task.output, [scored])
    return scored


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Raises a `Misfit` in place of what a damaged file, or answers of the wrong kind, make the body raise."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, pa.ArrowException, TlbenchError) as error:
        raise Misfit(f"{what}: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from error


def _as_answers(targets: Sequence[Any], output: Output) -> np.ndarray:
    """Returns answers that fit the targets, so that these can be read."""
    if output.answers == "texts":
        return objects([""] * len(targets))
    return objects(targets) if output.answers == "tags" else np.asarray(targets)


def scores(
    answers: Mapping[int, Scored],
    examples: Examples,
    task: Task,
    metrics: Sequence[Metric],
    faults: tuple[type[BaseException], ...] = (Exception, SystemExit),
) -> SplitScores:
    """Returns every metric of every seed, on the whole test split and on each slice, and the report on classes.

    Where another metric than the first fails, or any on a slice, no seed has that score and the rest is kept.

    Args:
        answers: Of each seed.
        examples: The test split.
        task: Whose they are.
        metrics: The primary one first.
        faults: What a metric that fails may raise.

    Raises:
        PluginError: The primary metric failed on the whole test split; the message names it and the seed.
        Diverged: The predictions are too large for it.
    """
    found: list[TestScore] = []
    failed: dict[tuple[str, str | None], str] = {}
    slices = list(_slices(examples, task))
    for seed, whole in answers.items():
        parts = [(name, whole.take(rows)) for name, rows in slices]
        for metric in metrics:
            for name, part in [(None, whole), *parts]:
                if (metric.name, name) in failed:
                    continue
                try:
                    found.append(_score(metric, seed, part, name))
                except faults as error:
                    if metric is metrics[0] and name is None:
                        raise
                    failed[metric.name, name] = " ".join(str(error).split())
    kept = tuple(one for one in found if (one.metric, one.slice) not in failed)
    return SplitScores(kept, report_of(task.output, list(answers.values())), _left_out(failed))


def _score(metric: Metric, seed: int, part: Scored, slice_name: str | None) -> TestScore:
    where = "test split" if slice_name is None else f"slice {slice_name} of the test split"
    try:
        value = score(metric, part)
        where = f"a bootstrap resample of the {where}"
        return TestScore(metric.name, seed, value, *bootstrap(metric, part), len(part), slice_name)
    except (PluginError, Diverged) as error:
        raise type(error)(f"{where}, seed {seed}: {error}") from error


def _left_out(failed: Mapping[tuple[str, str | None], str]) -> str:
    if not failed:
        return ""
    named = [f"{metric} ({why})" for (metric, _), why in list(failed.items())[:_NAMED]]
    more = f", and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    return f"left out: {', '.join(named)}{more}"


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
