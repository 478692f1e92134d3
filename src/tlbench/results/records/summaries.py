"""What a table needs to know of a record: one line each, a few hundred bytes of what may be megabytes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.metric import LONGEST_NAME
from tlbench.contracts.record import Provenance, Record, TestScore
from tlbench.contracts.space import Override
from tlbench.results.columns import OK, PENDING
from tlbench.results.provenance_notes import mixture

_T = TypeVar("_T")


class Setting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """What identifies a cell beside the names of its task, backbone and strategy."""

    protocol: Protocol
    task_version: int
    backbone_version: int
    strategy_version: int
    needs: tuple[Ref, ...]
    space: dict[str, Override]


class CellSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, gc=False):
    """One cell: what its record says, or that it has none yet. Fields that name a column are that column."""

    cell: str
    task: str
    """The name alone; a table adds the version where it holds several."""
    backbone: str
    strategy: str
    setting: str
    """A key of `Summaries.settings`."""
    status: str = PENDING
    made: str = ""
    """A key of `Summaries.made`."""
    attempt: int = 0
    positive: int = 1
    predictions: str | None = None
    """The file beside the records that holds them."""
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
    searched: bool = False
    seeds: int = 0
    scored: str = ""
    """A key of `Summaries.metrics`: which metrics `scores` are of."""
    scores: tuple[float, ...] = ()
    """The mean over seeds of each metric on the whole test split."""
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
    host_added_bytes: int | None = None
    device_allocated_bytes: int | None = None
    device_reserved_bytes: int | None = None
    energy_joules: float | None = None
    parameters: int | None = None
    trainable_parameters: int | None = None
    examples_seen: int | None = None
    test_reads: int | None = None
    mixture: str = ""
    """What some of the fits were made with instead of what `made` says, in words."""

    @property
    def file(self) -> str:
        """The name of the record's file."""
        return f"{self.cell}.{self.attempt}.json"


class Summaries(msgspec.Struct, forbid_unknown_fields=True, array_like=True):
    """Lines, and once for all of them what many have in common; keys are digests, so that any two can be joined."""

    rows: list[CellSummary] = []
    settings: dict[str, Setting] = {}
    made: dict[str, Provenance] = {}
    """What results were made with: provenance without what differs between any two machines or runs."""
    metrics: dict[str, tuple[str, ...]] = {}
    """Names of metrics, in the order in which lines have their scores."""

    def add(self, record: Record, cell_id: str) -> None:
        """Adds the line of a record."""
        cell, provenance = record.cell, record.provenance
        made = _made_digest(provenance)
        if made not in self.made:
            self.made[made] = msgspec.structs.replace(provenance, python="", platform="", started="")
        seconds, memory = record.seconds, record.memory
        peak, baseline = memory.host_peak_bytes, memory.host_baseline_bytes
        scored = self._scored(record)
        fails = "value" not in scored and record.status == OK
        line = CellSummary(
            cell_id,
            cell.task.name,
            cell.backbone.name if cell.backbone else "",
            cell.strategy.name,
            self._setting(cell),
            status="failed" if fails else record.status,
            reason="a record without a test score" if fails else record.reason,
            made=made,
            attempt=record.attempt,
            positive=record.positive,
            predictions=record.predictions,
            trials=max(1, len(record.trials)),
            searched=_searched(record),
            validation=record.validation,
            setup_seconds=seconds.setup,
            encode_seconds=seconds.encode,
            encode_paid_seconds=seconds.encode_paid,
            fit_seconds=seconds.fit,
            search_seconds=seconds.search,
            predict_seconds=seconds.predict,
            total_seconds=seconds.total,
            host_peak_bytes=peak,
            host_added_bytes=None if peak is None or baseline is None else max(0, peak - baseline),
            device_allocated_bytes=memory.device_allocated_bytes,
            device_reserved_bytes=memory.device_reserved_bytes,
            energy_joules=record.energy_joules,
            parameters=record.parameters,
            trainable_parameters=record.trainable_parameters,
            examples_seen=record.examples_seen,
            test_reads=record.test_reads,
            overlap=sum(record.overlap.values()) if record.overlap else None,
            mixture=mixture(record),
            **scored,
        )
        self.rows.append(line)

    def add_missing(self, cells: Mapping[str, Cell]) -> None:
        """Adds a line for each of these cells, by id, that has none: it has no record yet."""
        there = {line.cell for line in self.rows}
        for cell_id, cell in cells.items():
            if cell_id not in there:
                backbone = cell.backbone.name if cell.backbone else ""
                self.rows.append(
                    CellSummary(cell_id, cell.task.name, backbone, cell.strategy.name, self._setting(cell))
                )

    def join(self, other: Summaries) -> None:
        """Adds all lines of another."""
        self.rows += other.rows
        self.settings |= other.settings
        self.made |= other.made
        self.metrics |= other.metrics

    def of(self, rows: Iterable[CellSummary]) -> Summaries:
        """Returns some of the lines, with what all have in common."""
        return Summaries(list(rows), dict(self.settings), dict(self.made), dict(self.metrics))

    def prune(self) -> None:
        """Forgets what no line has in common with others any more."""
        self.settings = {key: self.settings[key] for key in {line.setting for line in self.rows}}
        self.made = {key: self.made[key] for key in {line.made for line in self.rows}}
        self.metrics = {key: self.metrics[key] for key in {line.scored for line in self.rows} if key}

    def without(self, keys: Set[str]) -> Summaries:
        """Returns the lines without those things that they have in common whose keys are these."""

        def rest(known: dict[str, _T]) -> dict[str, _T]:
            return {key: value for key, value in known.items() if key not in keys}

        return Summaries(self.rows, rest(self.settings), rest(self.made), rest(self.metrics))

    def sound(self) -> list[bool]:
        """Says of each line whether a record may have made it, as far as a table depends on that.

        What was read from a file that somebody sent may lack what a line refers to, or have something else there.
        """
        settings = {key for key, setting in self.settings.items() if _digest(setting) == key}
        made = {key for key, provenance in self.made.items() if _made_digest(provenance) == key}
        scored = {key: len(names) for key, names in self.metrics.items() if _digest(names) == key} | {"": 0}
        return [
            line.attempt > 0
            and line.setting in settings
            and line.made in made
            and scored.get(line.scored) == len(line.scores)
            and None not in _of_every_record(line)
            and (line.status != OK or _is_finite(line.value, line.low, line.high))
            for line in self.rows
        ]

    def scores(self, metric: str, rows: Sequence[CellSummary]) -> list[float | None]:
        """Returns what each of some of the lines has in a metric."""
        places = {key: names.index(metric) for key, names in self.metrics.items() if metric in names}
        found = [places.get(line.scored) for line in rows]
        return [None if place is None else line.scores[place] for line, place in zip(rows, found, strict=True)]

    def _scored(self, record: Record) -> dict[str, Any]:
        of_metric: dict[str, list[TestScore]] = {}
        for score in record.scores:
            if score.slice is None:
                of_metric.setdefault(score.metric, []).append(score)
        # A record may have been sent: what is no name of a metric becomes no column.
        means = {
            name: _mean([score.value for score in scores])
            for name, scores in sorted(of_metric.items())
            if name.isidentifier() and len(name) <= LONGEST_NAME
        }
        metric = record.metrics[0] if record.metrics else ""
        scored: dict[str, Any] = {"metric": metric, "scores": tuple(means.values())}
        if means:
            names = tuple(means)
            scored["scored"] = _digest(names)
            self.metrics.setdefault(scored["scored"], names)
        main = of_metric.get(metric)
        if main:
            values = [score.value for score in main]
            scored |= {
                "value": _mean(values),
                "low": _mean([score.low for score in main]),
                "high": _mean([score.high for score in main]),
                "seed_std": _deviation(values) if len(values) > 1 else None,
                "seed_min": min(values),
                "seed_max": max(values),
                "n": max(score.n for score in main),
                "seeds": len(values),
            }
        return scored

    def _setting(self, cell: Cell) -> str:
        setting = Setting(
            cell.protocol,
            cell.task.version,
            cell.backbone.version if cell.backbone else 0,
            cell.strategy.version,
            cell.needs,
            cell.space,
        )
        key = _digest(setting)
        self.settings.setdefault(key, setting)
        return key


_encoded = msgspec.json.Encoder(order="deterministic").encode
_of_every_record = attrgetter("trials", "encode_seconds", "fit_seconds", "total_seconds")
"""What sums go over."""


def summaries_of(records: Iterable[Record]) -> Summaries:
    """Returns a line for each cell in order of their ids; of several attempts the newest counts."""
    newest: dict[str, Record] = {}
    for record in records:
        cell_id = record.cell.id
        known = newest.get(cell_id)
        if known is None or known.attempt < record.attempt:
            newest[cell_id] = record
    lines = Summaries()
    for cell_id, record in sorted(newest.items()):
        lines.add(record, cell_id)
    return lines


def _searched(record: Record) -> bool:
    if len(record.trials) < 2:
        return False
    first = _encoded(record.trials[0].params)
    return any(_encoded(trial.params) != first for trial in record.trials)


def _is_finite(*values: float | None) -> bool:
    return None not in values and all(map(math.isfinite, values))  # type: ignore[arg-type]  # none is None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _made_digest(made: Provenance) -> str:
    return _digest((made.device, made.precision, made.threads, made.distributions, made.data))


def _digest(value: Any) -> str:
    return _digest_of(_encoded(value))


@lru_cache(maxsize=1024)
def _digest_of(encoded: bytes) -> str:
    return hashlib.blake2b(encoded, digest_size=8).hexdigest()
