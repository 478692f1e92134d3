"""The folder of results: one immutable JSON file for each cell and attempt. Only this module makes new ones.

tlbench.json                the format of the folder
index.bin                   cache of summaries and ranks (`index.py`); can be deleted
fresh.json                  the attempts requested by the last --fresh
plan.json                   the last plan that was run, for "n of N"
records/<id>.<k>.json       attempt k of a cell; the newest counts
records/<id>.<k>.parquet    test predictions of attempt k; its validation predictions: <id>.<k>.validation.parquet
work/index.journal          summaries of records committed since the index was written (`journal.py`); can be deleted
models/<id>.<k>/<seed>/     kept models of attempt k (`results/models/`); can be deleted
damaged/                     records and predictions that were found damaged, and whose cells ran again
work/<id>.<k>/              study, finished fits and progress of a cell
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.contracts.cell import Plan
from tlbench.contracts.errors import StoreError
from tlbench.contracts.published.reference import Reference
from tlbench.contracts.record import FORMAT, Record
from tlbench.contracts.untrusted.regular_files import read_regular_file, refuse_link
from tlbench.results.records.commit_marks import COMMITTED, is_committed, mark_committed
from tlbench.results.records.finite_numbers import not_finite
from tlbench.results.records.journal import Journal
from tlbench.results.records.kept_predictions import VALIDATION_SUFFIX, UnstorableRecord, keep_predictions
from tlbench.results.records.record_files import (
    Unreadable,
    attempts_in,
    newest_attempts,
    read_record,
)
from tlbench.results.records.summaries import CellSummary
from tlbench.system.durable import Stamp, create_durably, stamp_of, write_durably
from tlbench.system.integrity.sealed_files import read_sealed, write_sealed
from tlbench.system.integrity.sealed_json import sealed

SAVED = re.compile(r"(?:saved|model)-\d+|\.(?:saved|model)-\d+\.\w+\.tmp")
"""Names of folders with saved predictors, the only subfolders of a cell's work folder."""


_FOLDERS = ("records", "work", "models", "find")
_WRITTEN = ("work/workers.log", "work/run.log", "tlbench.json", "plan.json", "fresh.json")
"""Subfolders and files, none of which may be a link."""
_DERIVED = {"plan.json", "fresh.json", "index.bin", "models", "damaged", "find"}
"""What of a results folder that a run can do without."""


class _Marker(msgspec.Struct, frozen=True):
    format: int


class Store:
    """Reads and commits records in one folder; safe with several processes at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._records = root / "records"
        self._journal = Journal(root)

    @classmethod
    def open(cls, root: Path) -> Store:
        """Returns the store in an existing folder.

        Raises:
            StoreError: The folder has no results, results in another format, or a link in place of a folder.
        """
        refuse_link(*(root / name for name in _FOLDERS))
        path = root / "tlbench.json"
        marker = read_sealed(path, _Marker)
        if marker is None:
            if _lost_its_marker(root):
                return cls(root)
            if path.is_file():
                raise StoreError(f"{path}: cannot be read: choose another --out")
            raise StoreError(f"{root}: no results here yet; `tlbench run --out {root}` makes some")
        if marker.format != FORMAT:
            newer = "made by a newer tlbench: " if marker.format > FORMAT else ""
            raise StoreError(
                f"{root}: {newer}results of format {marker.format}; this tlbench reads {FORMAT}: choose another --out"
            )
        return cls(root)

    @classmethod
    def create(cls, root: Path) -> Store:
        """Returns the store in this folder, which is created if it does not exist.

        Raises:
            StoreError: The folder cannot be written, holds something else, or has results in another format.
        """
        refuse_link(*(root / name for name in (*_FOLDERS, *_WRITTEN)))
        try:
            if not (root / "tlbench.json").exists():
                # What a run killed while creating the folder leaves behind does not count as something else.
                if not _lost_its_marker(root) and _names_in(root) - {"records", "work", "tlbench.json"}:
                    raise StoreError(f"{root}: not empty, and not a folder of tlbench results: choose another --out")
                (root / "records").mkdir(parents=True, exist_ok=True)
                (root / "work").mkdir(exist_ok=True)
                # Last, and whole or absent: its presence means that the folder is complete. Of two processes that
                # create the folder at once the first one's file stays.
                create_durably(root / "tlbench.json", sealed(msgspec.json.encode(_Marker(FORMAT))))
            store = cls.open(root)
            if read_sealed(root / "tlbench.json", _Marker) is None:
                write_sealed(root / "tlbench.json", _Marker(FORMAT))
            # Version control and some copies drop empty folders.
            (root / "records").mkdir(exist_ok=True)
            (root / "work").mkdir(exist_ok=True)
            # Fails now rather than after the first cell has been computed.
            write_durably(root / "work" / ".writable", b"")
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"{root}: cannot be written: {reason}: choose another --out") from None
        return store

    def work(self, cell_id: str, attempt: int) -> Path:
        """Returns the work folder of an attempt at a cell, which may not exist yet.

        Raises:
            StoreError: The work folder is a symbolic link, or contains a symbolic link or something that no run writes.
        """
        folder = self.root / "work" / f"{cell_id}.{attempt}"
        for path in (folder.parent, folder, *(folder.iterdir() if folder.is_dir() and not folder.is_symlink() else ())):
            refuse_link(path)
            is_folder = path in (folder.parent, folder) or (path.is_dir() and SAVED.fullmatch(path.name))
            # A named pipe would block the run when it opens it.
            if path.exists() and not (path.is_file() or is_folder):
                raise StoreError(f"{path}: not a regular file: remove it")
        return folder

    def record_path(self, cell_id: str, attempt: int) -> Path:
        """Returns the path of the record of one attempt."""
        return self._records / f"{cell_id}.{attempt}.json"

    def attempts(self) -> dict[str, int]:
        """Returns the number of the newest attempt of each recorded cell, by cell id."""
        try:
            return newest_attempts(os.listdir(self._records))
        except OSError:
            return {}

    def listing(self) -> dict[str, Stamp]:
        """Returns the size and modification time of every file in the folder of records, by name."""
        stamps: dict[str, Stamp] = {}
        with suppress(OSError), os.scandir(self._records) as entries:
            for entry in entries:
                try:
                    stamps[entry.name] = stamp_of(entry.stat())
                except OSError:
                    # A broken link, say: listed, so that it is reported, with a stamp that no file can have.
                    stamps[entry.name] = (-1, -1)
        return stamps

    def record(self, cell_id: str) -> Record | None:
        """Returns the newest readable record of a cell, or None if the cell has none."""
        return next((record for record in self._attempts_of(cell_id) if isinstance(record, Record)), None)

    def newest(self, cell_id: str) -> Record | Unreadable | None:
        """Returns the newest record of a cell, or the reason why it cannot be read, or None if the cell has none."""
        return next(self._attempts_of(cell_id), None)

    def _attempts_of(self, cell_id: str) -> Iterator[Record | Unreadable]:
        # From a listing rather than by counting up: an attempt may have any number up to 999,999,999.
        attempts = [attempt for other, attempt in attempts_in(self.listing()) if other == cell_id]
        return (self.attempt(cell_id, attempt) for attempt in sorted(attempts, reverse=True))

    def attempt(self, cell_id: str, attempt: int) -> Record | Unreadable:
        """Returns the record of one attempt, or the reason why it cannot be read."""
        return self.read(f"{cell_id}.{attempt}.json")

    def read(self, name: str) -> Record | Unreadable:
        """Returns the record in the file of this name, or the reason why it cannot be read."""
        return read_record(self._records / name)

    def records(self, unreadable: Callable[[Unreadable], None] | None = None) -> Iterator[Record]:
        """Yields the newest record of each cell, in order of cell ids; calls `unreadable` for each unreadable file."""
        for cell_id, attempt in sorted(self.attempts().items()):
            record = self.read(f"{cell_id}.{attempt}.json")
            if isinstance(record, Record):
                yield record
            elif unreadable:
                unreadable(record)

    def commit(self, record: Record, work: Path) -> bool:
        """Stores a finished record with its predictions; returns False if that attempt was committed before.

        The predictions come first, so that a record never names a file that is not there. The record is written to a
        temporary file, flushed to the disk (fsync) and only then given its name by `link`: after a crash it is whole or
        absent, and of two processes that commit the same attempt the first one's record stays.

        Raises:
            UnstorableRecord: The record has a number that is not finite, or its predictions are missing.
            StoreError: The disk is full, or the folder cannot be written; earlier records stay as they were.
        """
        name = f"{record.cell.id}.{record.attempt}"
        path = self._records / f"{name}.json"
        if fault := not_finite(record):
            raise UnstorableRecord(
                f"{self._records}: could not store {record.cell.title}: {fault}, and records hold finite numbers alone:"
                " fix the plugin that returned it and run the cell again"
            )
        try:
            stamp = None
            # Another process may have committed the same attempt, and tidied its work folder already.
            if not path.exists():
                self._records.mkdir(exist_ok=True)
                content = sealed(msgspec.json.encode(keep_predictions(record, work, self._records)))
                stamp = create_durably(path, content)
        except OSError as error:
            reason = error.strerror or str(error)
            title = record.cell.title
            raise StoreError(f"{self._records}: could not store {title}: {reason}: fix this and run again") from error
        if work.name == name:
            mark_committed(work)
        if stamp is None:
            return False
        self._journal.add(path, content, stamp)
        return True

    def tidy(self, work: Path) -> None:
        """Removes the files of a committed cell that are no longer needed.

        The study stays, for dashboards, and so does `record.json`: it tells a process that waited for the cell's lock
        that there is nothing left to do.
        """
        for path in work.iterdir() if work.is_dir() else ():
            if path.name not in {"lock", "record.json", "study.sqlite", COMMITTED}:
                with suppress(OSError):
                    # rmtree on a link raises, and the link itself is what has to go.
                    if SAVED.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink()

    def predictions(self, record: Record | CellSummary) -> Path | None:
        """Returns the Parquet file of a record's test predictions, or None if there is none."""
        # A record from someone else must not make us read a file outside the folder of records.
        if not record.predictions or Path(record.predictions).name != record.predictions:
            return None
        path = self._records / record.predictions
        return path if path.is_file() and not path.is_symlink() else None

    def validation_predictions(self, cell_id: str, attempt: int) -> Path | None:
        """Returns the Parquet file of an attempt's validation predictions, or None if there is none."""
        path = self._records / f"{cell_id}.{attempt}{VALIDATION_SUFFIX}"
        return path if path.is_file() and not path.is_symlink() else None

    def wanted(self) -> dict[str, int]:
        """Returns the attempts requested by the last `--fresh` that have no record yet, by cell id."""
        requested = read_sealed(self.root / "fresh.json", dict[str, int]) or {}
        attempts = self.attempts()
        return {
            cell_id: attempt
            for cell_id, attempt in requested.items()
            # If the attempt was made and its record deleted since, the request is fulfilled.
            if attempt == attempts.get(cell_id, 0) + 1 and not is_committed(self.root / "work" / f"{cell_id}.{attempt}")
        }

    def save_wanted(self, attempts: dict[str, int]) -> None:
        """Stores the attempts requested by `--fresh`, so that an interrupted run can be finished with or without it."""
        write_sealed(self.root / "fresh.json", attempts)

    def save_plan(self, plan: Plan) -> None:
        """Stores the plan of a run that starts, so that tables can show "n of N".

        Raises:
            StoreError: The folder cannot be written.
        """
        path, content = self.root / "plan.json", sealed(msgspec.json.encode(plan))
        with suppress(OSError):
            # Rewriting an equal plan would change its modification time, by which the index checks its stored ids.
            if read_regular_file(path, len(content)) == content:
                return
        try:
            stamp = write_durably(path, content)
        except OSError as error:
            reason = error.strerror or error
            raise StoreError(f"{self.root}: cannot be written: {reason}: fix this and run again") from None
        self._journal.add_plan(plan, stamp)

    def plan(self) -> Plan | None:
        """Returns the plan of the last run, or None if there is none that can be read."""
        return read_sealed(self.root / "plan.json", Plan)

    def references(self) -> tuple[Reference, ...]:
        """Returns the published scores of the last run's plan, without decoding its cells."""
        plan = read_sealed(self.root / "plan.json", _PlanReferences)
        return plan.references if plan else ()


class _PlanReferences(msgspec.Struct):
    """The part of `Plan` that `Store.references` decodes."""

    references: tuple[Reference, ...] = ()


def _lost_its_marker(root: Path) -> bool:
    """Returns whether a folder without `tlbench.json` is nevertheless a folder of results, which lost that file."""
    if not (root / "records").is_dir() or not (root / "work").is_dir():
        return False
    has_records = bool(newest_attempts(os.listdir(root / "records")))
    return has_records and _names_in(root) <= {"records", "work", "tlbench.json", *_DERIVED}


def _names_in(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if path.suffix != ".tmp"} if root.is_dir() else set()
