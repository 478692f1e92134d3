"""Copies the records of folders of results, with their predictions, into one folder.

A record is copied byte for byte after it was read and checked, its predictions before it, each by an atomic write: a
merge that was interrupted is finished by the same call. What a folder already has stays as it is, so of two records of
one attempt at a cell with other bytes the first stays, and the difference is reported. Sources are only read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import StoreError, UsageError
from tlbench.contracts.record import Record
from tlbench.contracts.untrusted.regular_files import MOST_JSON_BYTES, read_regular_file, reason_of
from tlbench.results.records.journal import Journal
from tlbench.results.records.kept_predictions import SUFFIX, VALIDATION_SUFFIX
from tlbench.results.records.record_files import attempts_in, record_of
from tlbench.results.records.store import Store
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.system.durable import create_durably, write_durably
from tlbench.system.integrity.sealed_json import unsealed

_MOST_PREDICTION_BYTES = 2**32


@dataclass(frozen=True)
class Conflict:
    """A file that two folders have with other bytes."""

    source: Path
    """The folder whose file was left out."""
    file: str
    title: str
    """The names of the cell."""
    difference: str
    """What differs, in one line."""


@dataclass(frozen=True)
class LeftOut:
    """A file of a source that cannot be used."""

    source: Path
    file: str
    reason: str


@dataclass
class Merged:
    """The outcome of a merge."""

    added: dict[Path, int] = field(default_factory=dict)
    """Number of records that were copied from each source."""
    present: dict[Path, int] = field(default_factory=dict)
    """Number of records of each source that the target already had, byte for byte."""
    conflicts: list[Conflict] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether the target has everything that the sources have."""
        return not (self.conflicts or self.left_out)


def merge(sources: Sequence[Path], target: Path) -> Merged:
    """Copies the records of the sources that the target does not have, with their predictions.

    The plan of the last run is copied too, if all sources have the same one and the target has none. Unfinished work
    is not.

    Raises:
        UsageError: A source has no results, or the target is a source or inside of one.
        StoreError: The target cannot be written; what was copied before stays, and the same call does the rest.
    """
    stores = [Store.open(source) for source in sources]
    for source in sources:
        if target.resolve().is_relative_to(source.resolve()):
            raise UsageError(
                f"--out {target}: this is inside of {source}, and sources stay as they are: choose another"
            )
    union = _Union(Store.create(target))
    try:
        for store in stores:
            union.add(store)
        union.add_plan(stores)
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(f"{target}: cannot be written: {reason}: fix this and merge again") from error
    return union.merged


class _Union:
    def __init__(self, target: Store) -> None:
        self.merged = Merged()
        self._target, self._journal = target, Journal(target.root)

    def add(self, source: Store) -> None:
        self.merged.added[source.root] = self.merged.present[source.root] = 0
        # In order of ids, so that two merges of the same folders do the same.
        for cell_id, attempt in sorted(attempts_in(source.listing())):
            self._add_record(source, source.record_path(cell_id, attempt))

    def add_plan(self, sources: Sequence[Store]) -> None:
        plans = {_plan_bytes(source) for source in sources}
        content = plans.pop() if len(plans) == 1 else None
        if content is not None and self._target.plan() is None:
            self._target.save_plan(msgspec.json.decode(unsealed(content), type=Plan))

    def _add_record(self, source: Store, path: Path) -> None:
        try:
            content = read_regular_file(path, MOST_JSON_BYTES)
        except (OSError, MemoryError) as error:
            self._leave_out(source, path.name, reason_of(error))
            return
        record = record_of(path, content)
        if not isinstance(record, Record):
            self._leave_out(source, path.name, record.message)
            return
        target = self._target.record_path(record.cell.id, record.attempt)
        is_present = target.exists()
        if is_present and (known := _bytes(target)) != content:
            difference = _difference(record_of(target, known), record)
            self.merged.conflicts.append(Conflict(source.root, path.name, record.cell.title, difference))
            return
        names = {record.predictions, record.validation_predictions} - {None}
        expected = {f"{path.stem}{SUFFIX}", f"{path.stem}{VALIDATION_SUFFIX}"}
        if not names <= expected:
            self._leave_out(source, path.name, "it names the predictions of another record")
            return
        for name in sorted(name for name in names if name):
            self._add_predictions(source, path.with_name(name), record, is_present)
        stamp = None if is_present else create_durably(target, content)
        if stamp is None:
            self.merged.present[source.root] += 1
        else:
            self._journal.add(target, content, stamp)
            self.merged.added[source.root] += 1

    def _add_predictions(self, source: Store, path: Path, record: Record, has_record: bool) -> None:
        """Copies a file of predictions before its record; `has_record` tells whether the target has the record."""
        target = self._target.record_path(record.cell.id, record.attempt).with_name(path.name)
        try:
            content = read_regular_file(path, _MOST_PREDICTION_BYTES)
            found = read_predictions(path, digest=record.digests.get(path.name, ""))
            reason = "" if found is not None else "these are no predictions"
        except (OSError, MemoryError, ValueError) as error:
            # The record without its predictions is what the source's own leaderboard has, too.
            content, reason = b"", reason_of(error)
        if reason:
            if not target.exists():
                self._leave_out(source, path.name, reason)
            return
        if not target.exists():
            create_durably(target, content)
        elif _bytes(target) != content:
            if has_record:
                title = record.cell.title
                self.merged.conflicts.append(
                    Conflict(source.root, path.name, title, "other predictions, equal records")
                )
            else:
                # Left of a record that was deleted or never committed.
                write_durably(target, content)

    def _leave_out(self, source: Store, name: str, reason: str) -> None:
        self.merged.left_out.append(LeftOut(source.root, name, reason))


def _bytes(path: Path) -> bytes:
    try:
        return read_regular_file(path)
    except OSError:
        return b""


def _plan_bytes(store: Store) -> bytes | None:
    # Validated by the store, which returns None for a plan that cannot be read.
    return _bytes(store.root / "plan.json") if store.plan() is not None else None


def _difference(kept: object, other: Record) -> str:
    """Returns how two records of one attempt at a cell differ."""
    if not isinstance(kept, Record):
        return "the record that is there cannot be read"
    if kept.status != other.status:
        return f"status {kept.status} is kept, {other.status} is left out"
    values = [list(_values(record)) for record in (kept, other)]
    if values[0] == values[1]:
        return "equal scores; times, machine or versions differ"
    name = other.metrics[0] if other.metrics else "score"
    means = (f"{sum(value) / len(value):.4f}" if value else "none" for value in values)
    return f"other scores: {name} " + " is kept, ".join(means) + " is left out"


def _values(record: Record) -> Iterator[float]:
    for score in record.scores:
        if score.slice is None and score.metric == (record.metrics[0] if record.metrics else ""):
            yield score.value
