"""Tables of test predictions and the scores computed from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tlbench.contracts.errors import Diverged, PluginError, TlbenchError
from tlbench.contracts.fits.class_scores import ClassReport
from tlbench.contracts.fits.task_info import TaskInfo
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Output, Predictions
from tlbench.contracts.record import TestGroups, TestScore
from tlbench.contracts.task import Examples, Task
from tlbench.metrics import METRICS
from tlbench.metrics.class_report import report_of
from tlbench.metrics.groups import group_numbers
from tlbench.metrics.resampling import bootstrap, score
from tlbench.metrics.scored import Scored, checked, objects
from tlbench.metrics.scored_arrays import scored_of
from tlbench.results.records.stored_predictions import GROUP, columns_of, scored_in
from tlbench.running.scoring.drawn_pictures import Faults, drawn_pictures, with_pictures
from tlbench.running.scoring.prediction_files import write_table

PREDICTIONS_FILE = "predictions.parquet"
SLICE_PREFIX = "slice."
_MAX_LISTED = 3
_LONGEST_KIND = 60
"""The maximum number of omitted scores that are named in the record's reason."""


class SplitScores(NamedTuple):
    """The scores and classification report of the predictions for a test split."""

    scores: tuple[TestScore, ...]
    report: ClassReport
    left_out: str
    """One line that names the scores that could not be computed; empty if there are none."""
    test_groups: TestGroups | None


def write_predictions(path: Path, seed: int, examples: Examples, scored: Scored) -> None:
    """Writes a table with one row per test example: seed, id, target, value, scores and the slice columns."""
    write_table(path, predictions_table(seed, examples, scored))


def gather(
    folder: Path, predictions: Mapping[int, Scored], examples: Examples, output: Output, faults: Faults = Exception
) -> str:
    """Writes the predictions of all seeds to one file in the folder, with pictures if any, and returns its name."""
    table = pa.concat_tables([predictions_table(seed, examples, one) for seed, one in predictions.items()])
    drawn = drawn_pictures(output, examples, next(iter(predictions.values())), faults)
    write_table(folder / PREDICTIONS_FILE, with_pictures(table, drawn))
    return PREDICTIONS_FILE


class UnusablePredictions(Exception):
    """Stored predictions cannot be scored; the message is one line with the reason."""


def usable_predictions(
    table: pa.Table | None, examples: Examples, task: TaskInfo, metrics: Sequence[Metric], split: str = "test"
) -> Scored:
    """Returns one seed's stored predictions with the targets of `examples`, the split that was predicted.

    The file may be damaged or come from another machine, so its ids and targets are compared with the split's.

    Raises:
        UnusablePredictions: The predictions cannot be scored.
    """
    if table is None:
        raise UnusablePredictions("its file of predictions is missing, or cannot be read")
    with _as_unusable("its file holds no predictions"):
        ids, stored = table["id"].to_pylist(), scored_in(table, task.positive)
    if ids != [example.id for example in examples]:
        raise UnusablePredictions(
            f"its file has answers to {len(ids)} examples, which are not the {len(examples)} of the {split} split"
        )
    # A plugin's `Output.arrays` may compute its targets from the raw ones, but not from the predictions. So the targets
    # are converted together with correct predictions, and compared with those in the file.
    kind = type(task.output).__name__
    with _as_unusable(f"{kind}.arrays cannot convert correct predictions"):
        targets = [example.target for example in examples]
        correct = Predictions(tuple(ids), _correct_predictions(targets, task.output))
        own_targets = scored_of(task.output, targets, correct, task.positive).targets
    for name, file_target, target in zip(ids, stored.targets.tolist(), own_targets.tolist(), strict=True):
        if file_target != target:
            raise UnusablePredictions(
                f"the target of {name} is {file_target!r} in its file and {target!r} in the {split} split: either the"
                f" file is of another split, or the targets that {kind}.arrays gives depend on the answers"
            )
    scored = Scored(own_targets, stored.values, stored.scores, task.positive)
    # Predictions that cannot be scored are detected here, and not when the cell is nearly done. The formula of a
    # plugin's metric is not run: if it raises, the mistake may be the metric's, and a new fit would not help. The same
    # holds for predictions too large for one of tlbench's own metrics, hence `suppress(Diverged)`.
    for metric in metrics:
        with _as_unusable(f"the metric {metric.name}"):
            metric_input = checked(metric, scored)
            if METRICS.get(metric.name) is metric:
                with suppress(Diverged):
                    score(metric, metric_input)
    with _as_unusable(f"{kind}.report"):
        report_of(task.output, [scored])
    return scored


@contextmanager
def _as_unusable(context: str) -> Iterator[None]:
    """Raises `UnusablePredictions` for errors in the block that damaged files or malformed predictions cause."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, OverflowError, pa.ArrowException, TlbenchError) as error:
        raise UnusablePredictions(f"{context}: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from error


def _correct_predictions(targets: Sequence[Any], output: Output) -> np.ndarray:
    """Returns correct predictions for the targets, or empty texts if the targets are sets of accepted texts."""
    if output.answers == "texts":
        return objects([""] * len(targets))
    return objects(targets) if output.answers == "tags" else np.asarray(targets)


def scores(
    predictions: Mapping[int, Scored],
    examples: Examples,
    task: Task,
    metrics: Sequence[Metric],
    faults: tuple[type[BaseException], ...] = (Exception, SystemExit),
) -> SplitScores:
    """Returns all scores of every seed, on the whole test split and on each slice, and the classification report.

    If a secondary metric fails, or any metric on a slice, that score is left out for all seeds and the others are kept.

    Args:
        predictions: The predictions by seed.
        examples: The test split.
        task: The task, for its output and slices.
        metrics: The metrics, the primary one first.
        faults: The exceptions that count as the failure of a metric.

    Raises:
        PluginError: The primary metric failed on the whole test split; the message names it and the seed.
        Diverged: The predictions are too large for the primary metric.
    """
    results: list[TestScore] = []
    failed: dict[tuple[str, str | None], str] = {}
    slices = list(_slices(examples, task))
    names = [example.group for example in examples]
    groups: dict[str | None, np.ndarray | None] = {None: group_numbers(names)}
    groups |= {name: group_numbers([names[row] for row in rows]) for name, rows in slices}
    for seed, whole in predictions.items():
        parts = [(name, whole.take(rows)) for name, rows in slices]
        for metric in metrics:
            for name, part in [(None, whole), *parts]:
                if (metric.name, name) in failed:
                    continue
                try:
                    results.append(_score(metric, seed, part, name, groups[name]))
                except faults as error:
                    if metric is metrics[0] and name is None:
                        raise
                    failed[metric.name, name] = " ".join(str(error).split())
    # A metric that failed for one seed is dropped for all: a mean over some of the seeds would be misleading.
    kept = tuple(one for one in results if (one.metric, one.slice) not in failed)
    report = report_of(task.output, list(predictions.values()))
    return SplitScores(kept, report, _left_out(failed), _test_groups(groups[None], task.group))


def _score(metric: Metric, seed: int, part: Scored, slice_name: str | None, groups: np.ndarray | None) -> TestScore:
    where = "test split" if slice_name is None else f"slice {slice_name} of the test split"
    try:
        value = score(metric, part)
        # From here on an error comes from the interval, and the message should say so.
        where = f"a bootstrap resample of the {where}"
        return TestScore(metric.name, seed, value, *bootstrap(metric, part, groups=groups), len(part), slice_name)
    except (PluginError, Diverged) as error:
        raise type(error)(f"{where}, seed {seed}: {error}") from error


def _test_groups(numbers: np.ndarray | None, kind: str) -> TestGroups | None:
    return None if numbers is None else TestGroups(int(numbers.max()) + 1, " ".join(kind.split())[:_LONGEST_KIND])


def _left_out(failed: Mapping[tuple[str, str | None], str]) -> str:
    if not failed:
        return ""
    named = [f"{metric} ({why})" for (metric, _), why in list(failed.items())[:_MAX_LISTED]]
    more = f", and {len(failed) - _MAX_LISTED} more" if len(failed) > _MAX_LISTED else ""
    return f"left out: {', '.join(named)}{more}"


def predictions_table(seed: int, examples: Examples, scored: Scored) -> pa.Table:
    """Returns a row per example: seed, id, target, value and slices, with scores and group if there are any."""
    columns = columns_of(seed, [example.id for example in examples], scored)
    if any(example.group for example in examples):
        columns[GROUP] = [example.group for example in examples]
    for name in sorted({name for example in examples for name in example.slices}):
        columns[f"{SLICE_PREFIX}{name}"] = [example.slices.get(name) for example in examples]
    return pa.table(columns)


def _slices(examples: Examples, task: Task) -> list[tuple[str, np.ndarray]]:
    slices: list[tuple[str, np.ndarray]] = []
    for column in task.slices:
        names = np.asarray([example.slices.get(column) for example in examples], dtype=object)
        for name in sorted({name for name in names if name is not None}):
            slices.append((f"{column}={name}", np.flatnonzero(names == name)))
    return slices
