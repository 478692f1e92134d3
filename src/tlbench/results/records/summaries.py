"""Summaries of records: the few hundred bytes that a table needs of a record, which may have megabytes.

Values that many records share (protocols, provenances, names of metrics) are stored once and referred to by a digest of
their content. Equal values have equal digests, so summaries from several processes or files can be merged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import lru_cache
from operator import attrgetter
from statistics import fmean, stdev
from typing import Any, TypeVar

import msgspec

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.metric import LONGEST_NAME
from tlbench.contracts.record import Provenance, Record, TestScore
from tlbench.contracts.space import Override
from tlbench.results.columns import OK, PENDING
from tlbench.results.notes.floor_notes import floor_note
from tlbench.results.notes.provenance_notes import mixed_provenance
from tlbench.results.records.finite_numbers import are_finite
from tlbench.results.selection.optimism import Optimism, optimism
from tlbench.results.selection.search_budget import search_budget, tried_several

_T = TypeVar("_T")


class Setting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """The part of a cell's identity that is not the name of its task, backbone or strategy."""

    protocol: Protocol
    task_version: int
    backbone_version: int
    strategy_version: int
    needs: tuple[Ref, ...]
    space: dict[str, Override]


# gc=False: no cycle can pass through one, and there may be 100,000. array_like=True: encoded without field names.
class CellSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, gc=False):
    """One cell, recorded or pending; a field named like a leaderboard column holds the value of that column."""

    cell: str
    task: str
    """The task's name without its version, which a table adds if it holds several versions of the task."""
    backbone: str
    strategy: str
    setting_key: str
    """Key into `Summaries.settings`."""
    status: str = PENDING
    provenance_key: str = ""
    """Key into `Summaries.provenances`."""
    attempt: int = 0
    positive: int = 1
    predictions: str | None = None
    """Name of the Parquet file with the test predictions, in the folder of the records; None if there is none."""
    reason: str = ""
    metric: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    seed_std: float | None = None
    seed_min: float | None = None
    seed_max: float | None = None
    n: int | None = None
    trials: int | None = None
    trials_planned: int | None = None
    searched: bool = False
    seeds: int = 0
    metrics_key: str = ""
    """Key into `Summaries.metrics`, which has the names of the metrics in `scores`."""
    scores: tuple[float, ...] = ()
    """(M,): the score in each metric on the whole test split, averaged over seeds."""
    overlap: int | None = None
    validation: float | None = None
    setup_seconds: float | None = None
    encode_seconds: float | None = None
    encode_paid_seconds: float | None = None
    fit_seconds: float | None = None
    search_seconds: float | None = None
    predict_seconds: float | None = None
    total_seconds: float | None = None
    host_peak_bytes: int | None = None
    host_own_bytes: int | None = None
    device_allocated_bytes: int | None = None
    device_reserved_bytes: int | None = None
    energy_joules: float | None = None
    parameters: int | None = None
    trainable_parameters: int | None = None
    examples_seen: int | None = None
    test_reads: int | None = None
    at_floor: int | None = None
    """Number of seeds at the floor (`Record.floor`); None if the record does not say."""
    floor_note: str = ""
    search_budget: int | None = None
    selection: Optimism | None = None
    seen_datasets: tuple[str, ...] = ()
    mixed_provenance: str = ""
    """How the provenance of some fits differs from the record's, as a note for the table; empty if all fits agree."""
    groups: int | None = None
    group: str = ""
    train_examples: int | None = None
    predictions_digest: str = ""
    validation_digest: str = ""

    @property
    def file(self) -> str:
        """Name of the record's file."""
        return f"{self.cell}.{self.attempt}.json"


class Summaries(msgspec.Struct, forbid_unknown_fields=True, array_like=True):
    """Summaries of cells, and the values that several summaries share, by digest."""

    # msgspec copies an empty mutable default for each object, so these lists and dictionaries are not shared.
    cells: list[CellSummary] = []
    settings: dict[str, Setting] = {}
    provenances: dict[str, Provenance] = {}
    """Provenances, without python, platform and start time, which differ between almost any two runs."""
    metrics: dict[str, tuple[str, ...]] = {}
    """Names of metrics, in the order of `CellSummary.scores`."""

    def add(self, record: Record, cell_id: str) -> None:
        """Adds the summary of a record."""
        cell, provenance = record.cell, record.provenance
        provenance_key = _provenance_digest(provenance)
        if provenance_key not in self.provenances:
            self.provenances[provenance_key] = msgspec.structs.replace(provenance, python="", platform="", started="")
        seconds, memory = record.seconds, record.memory
        scored = self._scored(record)
        # A record may come from someone else. Without a score there is nothing to rank an "ok" by.
        fails = "value" not in scored and record.status == OK
        summary = CellSummary(
            cell_id,
            cell.task.name,
            cell.backbone.name if cell.backbone else "",
            cell.strategy.name,
            self._setting_key(cell),
            status="failed" if fails else record.status,
            reason="a record without a test score" if fails else record.reason,
            provenance_key=provenance_key,
            attempt=record.attempt,
            positive=record.positive,
            predictions=record.predictions,
            predictions_digest=record.predictions_digest,
            validation_digest=record.validation_digest,
            # Without a search there are no trials on record, and one setting was tried.
            trials=max(1, len(record.longest_trials)),
            trials_planned=record.trials_planned,
            searched=tried_several(record),
            search_budget=search_budget(record),
            selection=optimism(record),
            validation=record.validation,
            setup_seconds=seconds.setup,
            encode_seconds=seconds.encode,
            encode_paid_seconds=seconds.encode_paid,
            fit_seconds=seconds.fit,
            search_seconds=seconds.search,
            predict_seconds=seconds.predict,
            total_seconds=seconds.total,
            host_peak_bytes=memory.host_peak_bytes,
            host_own_bytes=memory.host_own_bytes,
            device_allocated_bytes=memory.device_allocated_bytes,
            device_reserved_bytes=memory.device_reserved_bytes,
            energy_joules=record.energy_joules,
            parameters=record.parameters,
            trainable_parameters=record.trainable_parameters,
            examples_seen=record.examples_seen,
            train_examples=record.train_examples,
            test_reads=record.test_reads,
            overlap=sum(record.overlap.values()) if record.overlap else None,
            at_floor=len(record.floor.at_floor) if record.floor else None,
            floor_note=floor_note(record),
            seen_datasets=record.seen_datasets,
            mixed_provenance=mixed_provenance(record),
            groups=record.test_groups.count if record.test_groups else None,
            group=record.test_groups.kind if record.test_groups else "",
            **scored,
        )
        self.cells.append(summary)

    def add_missing(self, cells: Mapping[str, Cell]) -> None:
        """Adds a pending summary for each of these cells, by id, that has no summary yet."""
        present = {summary.cell for summary in self.cells}
        for cell_id, cell in cells.items():
            if cell_id not in present:
                backbone, setting_key = cell.backbone.name if cell.backbone else "", self._setting_key(cell)
                self.cells.append(CellSummary(cell_id, cell.task.name, backbone, cell.strategy.name, setting_key))

    def extend(self, other: Summaries) -> None:
        """Adds all summaries of `other`, and its shared values."""
        self.cells += other.cells
        self.settings |= other.settings
        self.provenances |= other.provenances
        self.metrics |= other.metrics

    def subset(self, cells: Iterable[CellSummary]) -> Summaries:
        """Returns some of the summaries, with copies of the dictionaries of shared values."""
        return Summaries(list(cells), dict(self.settings), dict(self.provenances), dict(self.metrics))

    def prune(self) -> None:
        """Drops shared values that no summary refers to."""
        self.settings = {key: self.settings[key] for key in {summary.setting_key for summary in self.cells}}
        self.provenances = {key: self.provenances[key] for key in {summary.provenance_key for summary in self.cells}}
        self.metrics = {key: self.metrics[key] for key in {summary.metrics_key for summary in self.cells} if key}

    def without_shared(self, keys: Set[str]) -> Summaries:
        """Returns the same summaries, leaving out the shared values with these keys."""

        def rest(shared: dict[str, _T]) -> dict[str, _T]:
            return {key: value for key, value in shared.items() if key not in keys}

        return Summaries(self.cells, rest(self.settings), rest(self.provenances), rest(self.metrics))

    def valid(self) -> list[bool]:
        """Returns, for each summary, whether its values are complete and consistent, as far as a table needs them."""
        # A file from someone else may lack a shared value, or have another value under its key.
        settings = {key for key, setting in self.settings.items() if _digest(setting) == key}
        provenances = {key for key, value in self.provenances.items() if _provenance_digest(value) == key}
        # A record without scores has no names of metrics and an empty key.
        lengths = {key: len(names) for key, names in self.metrics.items() if _digest(names) == key} | {"": 0}
        return [
            summary.attempt > 0
            and summary.setting_key in settings
            and summary.provenance_key in provenances
            and lengths.get(summary.metrics_key) == len(summary.scores)
            and None not in _always_recorded(summary)
            and (summary.status != OK or are_finite(summary.value, summary.low, summary.high))
            for summary in self.cells
        ]

    def scores(self, metric: str, cells: Sequence[CellSummary]) -> list[float | None]:
        """Returns the score of each of these summaries in a metric; None where the metric was not computed."""
        positions = {key: names.index(metric) for key, names in self.metrics.items() if metric in names}
        positioned = [(summary, positions.get(summary.metrics_key)) for summary in cells]
        return [None if position is None else summary.scores[position] for summary, position in positioned]

    def _scored(self, record: Record) -> dict[str, Any]:
        """Returns the fields of a summary that come from the record's test scores."""
        by_metric: dict[str, list[TestScore]] = {}
        for score in record.scores:
            if score.slice is None:
                by_metric.setdefault(score.metric, []).append(score)
        # A record may come from someone else: only a name that could be a metric's becomes a column of the table.
        # Sorted, so that records with the same metrics share one tuple of names.
        # fmean adds exactly, so that a mean does not depend on the order of the seeds.
        means = {
            name: fmean([score.value for score in scores])
            for name, scores in sorted(by_metric.items())
            if name.isidentifier() and len(name) <= LONGEST_NAME
        }
        metric = record.metrics[0] if record.metrics else ""
        scored: dict[str, Any] = {"metric": metric, "scores": tuple(means.values())}
        if means:
            names = tuple(means)
            scored["metrics_key"] = _digest(names)
            self.metrics.setdefault(scored["metrics_key"], names)
        primary = by_metric.get(metric)
        if primary:
            values = [score.value for score in primary]
            scored |= {
                "value": fmean(values),
                "low": fmean([score.low for score in primary]),
                "high": fmean([score.high for score in primary]),
                # Divides by S - 1, since the S seeds are a sample of all seeds.
                "seed_std": stdev(values) if len(values) > 1 else None,
                "seed_min": min(values),
                "seed_max": max(values),
                "n": max(score.n for score in primary),
                "seeds": len(values),
            }
        return scored

    def _setting_key(self, cell: Cell) -> str:
        setting = Setting(
            cell.protocol, cell.task.version, cell.backbone.version if cell.backbone else 0, cell.strategy.version,
            cell.needs, cell.space,
        )  # fmt: skip
        key = _digest(setting)
        self.settings.setdefault(key, setting)
        return key


# Deterministic, because a digest must not depend on the order in which a dictionary was filled.
_encoded = msgspec.json.Encoder(order="deterministic").encode
_always_recorded = attrgetter("trials", "encode_seconds", "fit_seconds", "total_seconds")
"""Returns the fields of a summary that every record sets and that tables add up."""


def summaries_of(records: Iterable[Record]) -> Summaries:
    """Returns a summary for each cell, in order of their ids; of several attempts the newest counts."""
    newest: dict[str, Record] = {}
    for record in records:
        cell_id = record.cell.id
        previous = newest.get(cell_id)
        if previous is None or previous.attempt < record.attempt:
            newest[cell_id] = record
    summaries = Summaries()
    for cell_id, record in sorted(newest.items()):
        summaries.add(record, cell_id)
    return summaries


def _provenance_digest(value: Provenance) -> str:
    # Only the fields that `Summaries.provenances` keeps.
    return _digest((value.device, value.precision, value.threads, value.distributions, value.data))


def _digest(value: Any) -> str:
    return _digest_of(_encoded(value))


# A folder has thousands of records and few distinct settings and provenances.
@lru_cache(maxsize=1024)
def _digest_of(encoded: bytes) -> str:
    return hashlib.blake2b(encoded, digest_size=8).hexdigest()
