"""Reads a submitted Parquet file of predictions, and computes a record's scores again from it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.contracts.errors import TlbenchError
from tlbench.contracts.metric import Metric
from tlbench.contracts.outputs import Output, Scalar
from tlbench.contracts.record import Record, TestScore
from tlbench.contracts.task import Example, Examples, Task
from tlbench.contracts.untrusted.parquet_files import parquet_file
from tlbench.metrics.scored import Scored
from tlbench.results.records.stored_predictions import GROUP, scored_in
from tlbench.running.scoring.floor import gives_one_answer, reaches
from tlbench.running.scoring.scores import SLICE_PREFIX, SplitScores, scores

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ROWS = 5_000_000
EXACT, OF_PROBABILITIES = 1e-9, 1e-5
"""Largest difference of a score computed again: probabilities are stored in fp32, and all else exactly."""

_FIELDS = {"value": "", "low": "the lower end of ", "high": "the upper end of ", "n": "the size of "}
"""The fields of a score that are compared, and how messages name them."""


class BadPredictions(Exception):
    """A file that holds no predictions of the record; the message is one line with the reason."""


@dataclass(frozen=True)
class StoredAnswers:
    """The predictions of every seed, in the order of the file."""

    tables: Mapping[int, pa.Table]
    """The rows of each seed."""
    positive: int

    @property
    def ids(self) -> list[str]:
        """The ids of the examples, the same for every seed."""
        ids: list[str] = next(iter(self.tables.values()))["id"].to_pylist()
        return ids

    @cached_property
    def scored(self) -> dict[int, Scored]:
        """Predictions and stored targets of each seed."""
        return {seed: scored_in(table, self.positive) for seed, table in self.tables.items()}

    @property
    def slices(self) -> tuple[str, ...]:
        """The columns by which scores are broken down."""
        names = next(iter(self.tables.values())).column_names
        return tuple(name.removeprefix(SLICE_PREFIX) for name in names if name.startswith(SLICE_PREFIX))

    @cached_property
    def examples(self) -> Examples:
        """The examples as the file has them: ids, groups and slices, without inputs."""
        table = next(iter(self.tables.values()))
        groups = table[GROUP].to_pylist() if GROUP in table.column_names else [""] * len(table)
        columns = {name: table[f"{SLICE_PREFIX}{name}"].to_pylist() for name in self.slices}
        return Examples(
            Example(
                name,
                (),
                slices={column: values[row] for column, values in columns.items() if values[row] is not None},
                group=str(groups[row] or ""),
            )
            for row, name in enumerate(self.ids)
        )


def read_answers(content: bytes, seeds: Sequence[int], positive: int) -> StoredAnswers:
    """Returns the predictions in the content of a Parquet file.

    Raises:
        BadPredictions: The file is damaged or too large, has other seeds, or its seeds have other examples.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        # As a file, so that what it grows to is limited as for every file that was sent.
        with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
            copy.write(content)
            copy.flush()
            with parquet_file(Path(copy.name)) as file:
                if file.rows > _MOST_ROWS:
                    raise BadPredictions(f"it has {file.rows:,} rows, which is too much")
                table = file.table(file.schema.names)
        found = sorted({int(seed) for seed in table["seed"].unique().to_pylist()})
        if found != sorted(seeds):
            raise BadPredictions(f"it has the seeds {found}, and the final fits {sorted(seeds)}")
        tables = {seed: table.filter(pc.equal(table["seed"], seed)) for seed in seeds}
        ids = [part["id"].to_pylist() for part in tables.values()]
        answers = StoredAnswers(tables, positive)
        if any(one != ids[0] for one in ids):
            raise BadPredictions("its seeds have predictions of other examples")
        for seed, scored in answers.scored.items():
            if len(scored) != len(set(ids[0])) or not len(scored):
                raise BadPredictions(f"seed {seed} has an example twice, or none")
    except (KeyError, TypeError, ValueError, OverflowError, MemoryError, OSError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadPredictions(f"it cannot be read as predictions: {type(error).__name__}: {reason}") from None
    return answers


class _TaskOfFile(Task):
    """What scoring reads of a task."""

    modality = "text"
    metrics = ()

    def __init__(self, name: str, output: Output, slices: tuple[str, ...], group: str) -> None:
        self.name, self.output, self.slices, self.group = name, output, slices, group


def score_faults(record: Record, answers: StoredAnswers, metrics: Sequence[Metric], task: Task | None) -> Iterator[str]:
    """Yields the differences between a record's scores and those of its predictions and stored targets, a line each.

    Args:
        record: The record.
        answers: Its test predictions.
        metrics: Its metrics, the primary one first.
        task: The task, if its plugin is installed: without it, the report of classes is not checked.
    """
    kind = record.test_groups.kind if record.test_groups else ""
    # A number without classes: the report of classes is empty then.
    output = Scalar() if task is None else task.output
    try:
        found = scores(
            answers.scored, answers.examples, _TaskOfFile(record.cell.task.name, output, answers.slices, kind), metrics
        )
    except (TlbenchError, KeyError, ValueError, TypeError, IndexError) as error:
        yield f"its predictions cannot be scored: {' '.join(str(error).split())[:200]}"
        return
    yield from _score_faults(record, found, {metric.name: metric for metric in metrics})
    yield from _floor_faults(record, answers, metrics[0])
    if task is not None and record.report != found.report:
        yield "its report of classes is not that of its predictions"
    if (record.test_groups and record.test_groups.count) != (found.test_groups and found.test_groups.count):
        yield "its number of groups is not that of its predictions"


def _score_faults(record: Record, found: SplitScores, metrics: Mapping[str, Metric]) -> Iterator[str]:
    recorded, again = _by_key(record.scores), _by_key(found.scores)
    if len(recorded) != len(record.scores):
        yield "it has a score twice"
    for key in sorted(recorded.keys() ^ again.keys(), key=str):
        # A metric that failed here, as one of a plugin may, is in no record made again.
        if key in recorded:
            yield f"{_name(key)} is in the record, and its predictions give no such score"
        elif not record.reason:
            yield f"{_name(key)} is not in the record"
    for key in sorted(recorded.keys() & again.keys(), key=str):
        one, other = recorded[key], again[key]
        if one.low == one.high == one.value == other.value and one.n == other.n and _at_bound(one, metrics[one.metric]):
            # Earlier versions wrote a point for a score at a bound of its metric.
            continue
        bound = OF_PROBABILITIES if metrics[one.metric].reads_scores else EXACT
        for field, text in _FIELDS.items():
            stored, computed = getattr(one, field), getattr(other, field)
            if abs(stored - computed) > bound * max(1.0, abs(computed)):
                yield f"{text}{_name(key)} is {stored:.6g} in the record, and {computed:.6g} by its predictions"
                break


def _at_bound(score: TestScore, metric: Metric) -> bool:
    return score.value in (metric.lowest, metric.highest)


def _floor_faults(record: Record, answers: StoredAnswers, metric: Metric) -> Iterator[str]:
    if record.floor is None:
        return
    floor = record.floor
    one = tuple(seed for seed, scored in answers.scored.items() if gives_one_answer(scored))
    primary = [score for score in record.scores if score.metric == metric.name and score.slice is None]
    low = [score.seed for score in primary if floor.score is not None and reaches(score, floor.score, metric)]
    expected = tuple(seed for seed in answers.scored if seed in low or seed in one)
    if floor.one_answer != one:
        yield f"the seeds that give one answer are {floor.one_answer} in the record, and {one} by its predictions"
    elif floor.at_floor != expected:
        yield f"the seeds at the floor are {floor.at_floor} in the record, and {expected} by its scores"


def _by_key(found: Sequence[TestScore]) -> dict[tuple[str, int, str | None], TestScore]:
    return {(score.metric, score.seed, score.slice): score for score in found}


def _name(key: tuple[str, int, str | None]) -> str:
    metric, seed, slice_ = key
    return f"{metric} of seed {seed}" + (f" on {slice_}" if slice_ else "")
