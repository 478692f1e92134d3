"""The files of predictions beside a record: names, and moving them there from the cell's work folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tlbench.contracts.errors import StoreError
from tlbench.contracts.record import Record
from tlbench.system.durable import link_durably, replace_durably
from tlbench.system.integrity.sealed_json import file_digest

SUFFIX = ".parquet"
VALIDATION_SUFFIX = ".validation.parquet"


class UnstorableRecord(StoreError):
    """A record that cannot be stored, although other records can."""


def keep_predictions(record: Record, work: Path, records: Path) -> Record:
    """Moves a cell's predictions from its work folder to the folder of records; returns the record with their names.

    Raises:
        UnstorableRecord: The test predictions are missing, or the record names a file outside the work folder.
        OSError: A file cannot be written.
    """
    name = f"{record.cell.id}.{record.attempt}"
    digests: dict[str, str] = {}
    if record.predictions:
        source = _inside(work, record.predictions)
        if not source.is_file():
            raise UnstorableRecord(f"{source}: the test predictions of the record are gone: run the cell again")
        digests[f"{name}{SUFFIX}"] = _checked_digest(source, record)
        _move(source, records / f"{name}{SUFFIX}")
        record = msgspec.structs.replace(record, predictions=f"{name}{SUFFIX}")
    if record.validation_predictions:
        source = _inside(work, record.validation_predictions)
        if source.is_file():
            digests[f"{name}{VALIDATION_SUFFIX}"] = _checked_digest(source, record)
            _move(source, records / f"{name}{VALIDATION_SUFFIX}")
            return msgspec.structs.replace(record, validation_predictions=f"{name}{VALIDATION_SUFFIX}", digests=digests)
        reason = "they were gone from the cell's folder when the record was stored"
        record = msgspec.structs.replace(record, validation_predictions=None, no_validation_predictions=reason)
    # The file may be left of a deleted record of the same attempt.
    (records / f"{name}{VALIDATION_SUFFIX}").unlink(missing_ok=True)
    return msgspec.structs.replace(record, digests=digests)


def _checked_digest(source: Path, record: Record) -> str:
    found = file_digest(source)
    if record.digests.get(source.name, found) != found:
        raise UnstorableRecord(f"{source}: it has changed since it was written: run the cell again")
    return found


def _inside(work: Path, name: str) -> Path:
    # The record may come from someone else's work folder, and a path in it could name any file of this machine.
    if Path(name).name != name:
        raise UnstorableRecord(f"{work}: the record's predictions are not in this folder: remove the folder")
    return work / name


def _move(source: Path, target: Path) -> None:
    # The target exists already if its record was deleted, or if a run was killed after it had stored these predictions
    # and before it stored the record.
    if not link_durably(source, target) and not source.samefile(target):
        replace_durably(source, target)
