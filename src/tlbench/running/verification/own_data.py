"""Compares a record and its predictions with the data of the task on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import TlbenchError, UsageError
from tlbench.contracts.identity.content_names import without_label
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.contracts.task import Examples, Task
from tlbench.metrics.resampling import score
from tlbench.planning.space_context import task_info
from tlbench.running.scoring.floor import has_constant, score_of_constant
from tlbench.running.scoring.overlap import overlap
from tlbench.running.scoring.scores import UnusablePredictions, usable_predictions
from tlbench.running.splits import Splits
from tlbench.running.verification.stored_answers import EXACT, OF_PROBABILITIES, StoredAnswers


class NoOwnData(Exception):
    """A record cannot be compared with the task's data here; the message says why."""


class OwnData:
    """The splits of one task on this machine."""

    def __init__(self, task: Task) -> None:
        self.task, self.splits = task, Splits(task)
        self.test: Examples = task.split("test") or Examples(())
        # Groups of test examples change intervals, but no prediction and no score.
        test = self.test.without_groups()
        self.fingerprints = {
            "train": self.splits.train.fingerprint,
            "validation": self.splits.validation.fingerprint,
            "test": test.fingerprint,
        }

    def faults(
        self, record: Record, answers: StoredAnswers, validation: StoredAnswers | None, metrics: list[Metric]
    ) -> Iterator[str]:
        """Yields where a record differs from the data, a line each."""
        info = task_info(self.task)
        if record.positive != info.positive:
            # Binary metrics are of this class, so whoever names another one chooses what is scored.
            yield f"its positive class is {record.positive}, and the task's is {info.positive}"
            return
        made_on = record.provenance.data
        for split, fingerprint in self.fingerprints.items():
            if made_on.get(split, fingerprint) != fingerprint:
                yield (
                    f"it was made on other {split} data: their fingerprint is {made_on[split]}, and here {fingerprint}"
                )
                return
        if "test" not in made_on:
            yield "it does not say on which test data it was made"
            return
        yield from self._target_faults(answers, self.test, metrics, "test")
        yield from self._example_faults(answers)
        shown = overlap(self.test, self.splits)
        for split, number in shown.items():
            if record.overlap.get(split, number) != number:
                yield f"its overlap with {split} is {record.overlap[split]}, and here {number}"
        yield from self._floor_faults(record, metrics[0])
        if validation is not None:
            yield from self._validation_faults(record, validation, metrics)

    def _target_faults(
        self, answers: StoredAnswers, examples: Examples, metrics: list[Metric], split: str
    ) -> Iterator[str]:
        for seed, table in answers.tables.items():
            try:
                usable_predictions(table, examples, task_info(self.task), metrics, split)
            except UnusablePredictions as error:
                yield f"seed {seed}: {error}"
                return

    def _example_faults(self, answers: StoredAnswers) -> Iterator[str]:
        """Yields differences of groups and slices, by which scores are resampled and broken down."""
        for stored, own in zip(answers.examples, self.test, strict=False):
            if stored.group != own.group:
                yield f"the group of {own.id} is {stored.group!r} in its predictions, and {own.group!r} here"
                return
            if dict(stored.slices) != {name: value for name, value in own.slices.items() if value is not None}:
                yield f"the slices of {own.id} are other ones than here"
                return

    def _floor_faults(self, record: Record, metric: Metric) -> Iterator[str]:
        protocol = record.cell.protocol
        if record.floor is None or record.floor.score is None or not has_constant(self.task.output):
            return
        train = self.splits.subset(protocol.seeds[0], protocol.amount, protocol.final)
        again = score_of_constant(task_info(self.task), train, self.test, metric)
        if again is None or abs(again - record.floor.score) > EXACT:
            yield f"the score of a constant answer is {record.floor.score:.6g} in the record, and {again} here"

    def _validation_faults(self, record: Record, validation: StoredAnswers, metrics: list[Metric]) -> Iterator[str]:
        examples = self.splits.validation_of(record.cell.protocol.amount)
        for fault in self._target_faults(validation, examples, metrics, "validation"):
            yield f"validation predictions: {fault}"
            return
        metric = metrics[0]
        bound = OF_PROBABILITIES if metric.reads_scores else EXACT
        for fit in record.fits:
            if fit.validation is None or fit.seed not in validation.scored:
                continue
            with suppress(TlbenchError, ValueError):
                again = score(metric, validation.scored[fit.seed])
                if abs(again - fit.validation) > bound * max(1.0, abs(again)):
                    yield (
                        f"the validation score of seed {fit.seed} is {fit.validation:.6g} in the record, and"
                        f" {again:.6g} by its predictions"
                    )


@lru_cache(maxsize=4)
def _read(task: Task) -> OwnData:
    return OwnData(task)


def own_data(record: Record, catalog: Catalog, read_files: bool = False) -> OwnData:
    """Returns the data of a record's task.

    Args:
        record: The record.
        catalog: The installed plugins.
        read_files: Whether to read what a name such as "csv:reviews.csv" names. Somebody else chose the name: it could
            be that of any file of this machine, whose content a message would quote.

    Raises:
        NoOwnData: The task's plugin or its data are not here, or the record is of another version of the task.
    """
    name = record.cell.task.name
    if ":" in name.partition("[")[0] and not read_files:
        raise NoOwnData(f"{name} names files, and files that a submission names are read only with --read-files")
    try:
        found = catalog.task(name)
        task = record.cell.task
        if (without_label(found.ref.name), found.ref.version) != (without_label(task.name), task.version):
            was, is_now = task.version, found.ref.version
            raise NoOwnData(f"it was made with version {was} of {name}, which has version {is_now} here")
        if reason := found.item.missing():
            raise NoOwnData(reason)
        return _read(found.item)
    except UsageError as error:
        raise NoOwnData(" ".join(str(error).split())) from None
    except NoOwnData:
        raise
    except Exception as error:
        raise NoOwnData(f"the data of {name} cannot be read: {type(error).__name__}: {error}") from None
