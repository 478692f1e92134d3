"""The record folder: one immutable JSON per cell and attempt, committed once; the only writer of records.

tlbench.json                the folder's format
index.bin                   made from the records, and disposable: spares reading them all again (`index.py`)
fresh.json                  the attempts that the last --fresh asked for
plan.json                   the last plan that was run: what "n of N" counts
records/<id>.<k>.json       attempt k of a cell; the newest counts
records/<id>.<k>.parquet    its predictions
work/index.journal          what the index is made of, added as records are (`journal.py`), and disposable
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
from tlbench.contracts.record import FORMAT, Record
from tlbench.results.records.finite_numbers import not_finite
from tlbench.results.records.journal import Journal
from tlbench.results.records.record_files import Unreadable, attempts_in, content_of, newest_attempts, read_record
from tlbench.results.records.summaries import CellSummary
from tlbench.system.durable import Stamp, create_durably, link_durably, stamp_of, write_durably

SAVED = re.compile(r"saved-\d+|\.saved-\d+\.\w+\.tmp")
"""The only folders within a cell's folder: saved predictors."""


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
            StoreError: There is none, or it is of another format.
        """
        marker = root / "tlbench.json"
        if not marker.is_file():
            raise StoreError(f"{root}: no results here yet; `tlbench run --out {root}` makes some")
        try:
            found = msgspec.json.decode(marker.read_bytes(), type=_Marker).format
        except (OSError, msgspec.DecodeError) as error:
            raise StoreError(f"{marker}: cannot be read: {error}") from None
        if found != FORMAT:
            newer = "made by a newer tlbench: " if found > FORMAT else ""
            raise StoreError(
                f"{root}: {newer}results of format {found}; this tlbench reads {FORMAT}: choose another --out"
            )
        return cls(root)

    @classmethod
    def create(cls, root: Path) -> Store:
        """Returns the store in this folder, made where there is none.

        Raises:
            StoreError: The folder cannot be written, holds something else, or is of another format.
        """
        for name in ("records", "work", "work/workers.log", "tlbench.json", "plan.json", "fresh.json"):
            _refuse_link(root / name)
        try:
            if not (root / "tlbench.json").exists():
                if root.is_dir() and any(
                    p.name not in {"records", "work", "tlbench.json"} and p.suffix != ".tmp" for p in root.iterdir()
                ):
                    raise StoreError(f"{root}: not empty, and not a folder of tlbench results: choose another --out")
                (root / "records").mkdir(parents=True, exist_ok=True)
                (root / "work").mkdir(exist_ok=True)
                create_durably(root / "tlbench.json", msgspec.json.encode(_Marker(FORMAT)))
            store = cls.open(root)
            (root / "records").mkdir(exist_ok=True)
            (root / "work").mkdir(exist_ok=True)
            # Said now rather than after the first cell has been paid for.
            write_durably(root / "work" / ".writable", b"")
        except OSError as error:
            raise StoreError(f"{root}: cannot be written: {error.strerror or error}") from None
        return store

    def work(self, cell_id: str, attempt: int) -> Path:
        """Returns the folder in which an attempt at a cell keeps what it has finished.

        Raises:
            StoreError: It is a link, or holds one: of a folder that somebody sent, files elsewhere would be changed.
        """
        path = self.root / "work" / f"{cell_id}.{attempt}"
        for one in (path.parent, path, *(path.iterdir() if path.is_dir() and not path.is_symlink() else ())):
            _refuse_link(one)
            is_folder = one in (path.parent, path) or (one.is_dir() and SAVED.fullmatch(one.name))
            if one.exists() and not (one.is_file() or is_folder):
                raise StoreError(f"{one}: is no file: remove it")
        return path

    def record_path(self, cell_id: str, attempt: int) -> Path:
        """The file of one attempt's record."""
        return self._records / f"{cell_id}.{attempt}.json"

    def attempts(self) -> dict[str, int]:
        """Returns the newest attempt of every recorded cell."""
        try:
            return newest_attempts(os.listdir(self._records))
        except OSError:
            return {}

    def listing(self) -> dict[str, Stamp]:
        """Returns the files among the records, by name: what changes if one of them does."""
        found: dict[str, Stamp] = {}
        with suppress(OSError), os.scandir(self._records) as entries:
            for entry in entries:
                try:
                    found[entry.name] = stamp_of(entry.stat())
                except OSError:
                    found[entry.name] = (-1, -1)
        return found

    def record(self, cell_id: str) -> Record | None:
        """Returns the newest record of a cell that can be read, or None."""
        return next((found for found in self._attempts_of(cell_id) if isinstance(found, Record)), None)

    def newest(self, cell_id: str) -> Record | Unreadable | None:
        """Returns the newest record of a cell, or why it cannot be read, or None where the cell has none."""
        return next(self._attempts_of(cell_id), None)

    def _attempts_of(self, cell_id: str) -> Iterator[Record | Unreadable]:
        there = [attempt for found, attempt in attempts_in(self.listing()) if found == cell_id]
        return (self.attempt(cell_id, attempt) for attempt in sorted(there, reverse=True))

    def attempt(self, cell_id: str, attempt: int) -> Record | Unreadable:
        """Returns one attempt's record, or why there is none that can be read."""
        return self.read(f"{cell_id}.{attempt}.json")

    def read(self, name: str) -> Record | Unreadable:
        """Returns the record in the file of this name, or why there is none."""
        return read_record(self._records / name)

    def records(self, unreadable: Callable[[Unreadable], None] | None = None) -> Iterator[Record]:
        """Yields the newest record of every cell, in order of their ids."""
        for cell_id, attempt in sorted(self.attempts().items()):
            record = self.read(f"{cell_id}.{attempt}.json")
            if isinstance(record, Record):
                yield record
            elif unreadable:
                unreadable(record)

    def commit(self, record: Record, work: Path) -> bool:
        """Stores a finished record with its predictions; False where that attempt was committed before.

        Raises:
            StoreError: The disk is full, the folder cannot be written, or the record has a number that is not finite;
                earlier records stay as they were.
        """
        name = f"{record.cell.id}.{record.attempt}"
        if fault := not_finite(record):
            raise StoreError(
                f"{self._records}: could not store {record.cell.title}: {fault}, and records hold finite numbers alone;"
                " mend the plugin that gave it, and run the cell again"
            )
        try:
            if record.predictions:
                if Path(record.predictions).name != record.predictions:
                    raise StoreError(f"{work}: the record's predictions are not in this folder: remove it")
                self._keep_predictions(work / record.predictions, self._records / f"{name}.parquet")
                record = msgspec.structs.replace(record, predictions=f"{name}.parquet")
            path, content = self._records / f"{name}.json", msgspec.json.encode(record)
            stamp = create_durably(path, content)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(f"{self._records}: could not store {record.cell.title}: {reason}") from error
        if stamp is None:
            return False
        self._journal.add(path, content, stamp)
        return True

    @staticmethod
    def _keep_predictions(source: Path, target: Path) -> None:
        try:
            link_durably(source, target)
        except FileNotFoundError:
            # Another process that waited for the same cell may have stored and tidied it already.
            if not target.exists():
                raise

    def tidy(self, work: Path) -> None:
        """Removes what a committed cell no longer needs; its study stays, for dashboards, and its record as a mark.

        The mark tells another process that waited for the cell that there is nothing left to do.
        """
        for path in work.iterdir():
            if path.name not in {"lock", "record.json", "study.sqlite"}:
                with suppress(OSError):
                    if SAVED.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    else:
                        path.unlink()

    def predictions(self, record: Record | CellSummary) -> Path | None:
        """Returns the Parquet file of a record's test predictions, or None where there is none."""
        if not record.predictions or Path(record.predictions).name != record.predictions:
            return None
        path = self._records / record.predictions
        return path if path.is_file() else None

    def wanted(self) -> dict[str, int]:
        """Returns the attempts that the last `--fresh` asked for, by cell, and that are not there yet."""
        try:
            asked = msgspec.json.decode((self.root / "fresh.json").read_bytes(), type=dict[str, int])
        except (OSError, msgspec.DecodeError):
            return {}
        attempts = self.attempts()
        return {cell_id: attempt for cell_id, attempt in asked.items() if attempt == attempts.get(cell_id, 0) + 1}

    def save_wanted(self, attempts: dict[str, int]) -> None:
        """Keeps what `--fresh` asked for, so that an interrupted one can be finished by the same or a plain command."""
        write_durably(self.root / "fresh.json", msgspec.json.encode(attempts))

    def save_plan(self, plan: Plan) -> None:
        """Keeps the plan of the run that begins, so that tables can say "n of N"."""
        path, content = self.root / "plan.json", msgspec.json.encode(plan)
        with suppress(OSError):
            # What is there already stays as it is, and what the index knows of it holds.
            if content_of(path, len(content)) == content:
                return
        try:
            stamp = write_durably(path, content)
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be written: {error.strerror or error}") from None
        self._journal.add_plan(plan, stamp)

    def plan(self) -> Plan | None:
        """Returns the plan of the last run, or None."""
        try:
            return msgspec.json.decode((self.root / "plan.json").read_bytes(), type=Plan)
        except (OSError, msgspec.DecodeError):
            return None


def _refuse_link(path: Path) -> None:
    # Of a folder that somebody sent, files elsewhere would be changed.
    if path.is_symlink():
        raise StoreError(f"{path}: is a link, and nothing is written through links: remove it")
