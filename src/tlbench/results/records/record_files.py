"""Record files: their names, and reading one record safely."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tlbench.contracts.record import FORMAT, Record
from tlbench.contracts.untrusted.regular_files import MOST_JSON_BYTES, read_regular_file, reason_of
from tlbench.system.integrity.sealed_json import DamagedFileError, file_digest, unsealed

_NAMES = re.compile(r"^([0-9a-f]{16})\.([1-9][0-9]{0,8})\.json$", re.MULTILINE)
"""The cell id and the attempt of each name of a record file, in lines of file names."""
_UNKNOWN_FIELD = "Object contains unknown field"
"""Start of msgspec's error message for a field that the type does not have."""


@dataclass(frozen=True)
class Unreadable:
    """A record file that this version of tlbench cannot read."""

    path: Path
    reason: str
    is_newer: bool = False
    """Whether a newer tlbench wrote the file, so that it is intact but reading it needs an upgrade."""
    is_foreign: bool = False
    """Whether the file is intact and something else than a record."""

    @property
    def message(self) -> str:
        """The file and what is wrong with it, in one line."""
        if self.is_foreign:
            return f"{self.path.name} is not a record of tlbench: {self.reason}"
        kind = "was made by a newer tlbench" if self.is_newer else "is damaged"
        return f"{self.path.name} {kind}: {self.reason}"

    @property
    def remedy(self) -> str:
        """What makes the result readable again."""
        return "upgrade tlbench to read it" if self.is_newer else "`tlbench run` runs the cell again"


def read_record(path: Path) -> Record | Unreadable:
    """Returns the record in a file, or the reason why it cannot be read."""
    try:
        content = read_regular_file(path, MOST_JSON_BYTES)
    except (OSError, MemoryError) as error:
        return Unreadable(path, reason_of(error))
    return record_of(path, content)


def record_of(path: Path, content: bytes) -> Record | Unreadable:
    """Returns the record encoded in the content of a file, or the reason why it cannot be read."""
    try:
        content = unsealed(content)
    except ValueError as error:
        return Unreadable(path, str(error))
    try:
        record = msgspec.json.decode(content, type=Record)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        return _unreadable(path, error, content)
    if record.format > FORMAT:
        return _of_newer_format(path, record.format)
    # A copied or renamed file would otherwise count as the result of a cell that was never run.
    if path.name != f"{record.cell.id}.{record.attempt}.json":
        return Unreadable(path, "it holds the record of another cell")
    return record


def damaged_predictions(record: Record, records: Path) -> Unreadable | None:
    """Returns the first file of a record's predictions that has changed since it was written, or None.

    Args:
        record: The record; one without digests, as older ones, says nothing about its files.
        records: The folder of the record.
    """
    for name, digest in record.digests.items():
        path = records / name
        with suppress(OSError):
            # The record may come from someone else, and must not make us read a file outside the folder.
            if path.parent == records and path.is_file() and file_digest(path) != digest:
                return Unreadable(path, str(DamagedFileError()))
    return None


def newest_attempts(names: Iterable[str]) -> dict[str, int]:
    """Returns the number of each cell's newest attempt, by cell id, among record files with these names."""
    newest: dict[str, int] = {}
    for cell_id, attempt in attempts_in(names):
        if attempt > newest.get(cell_id, 0):
            newest[cell_id] = attempt
    return newest


def attempts_in(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Returns (cell id, attempt) for each record file among these names."""
    # One search over all names is four times as fast as one for each. A name may hold a line break, and then it is none
    # of a record's.
    lines = "\n".join(name for name in names if "\n" not in name)
    return ((cell_id, int(attempt)) for cell_id, attempt in _NAMES.findall(lines))


class _Head(msgspec.Struct):
    """The parts of a record that every version of its format has, whose number is `format`."""

    format: int = 0
    cell: msgspec.Raw = msgspec.Raw()
    status: msgspec.Raw = msgspec.Raw()


def _unreadable(path: Path, error: Exception, content: bytes) -> Unreadable:
    try:
        head = msgspec.json.decode(content, type=_Head)
    except (ValueError, RecursionError):
        return Unreadable(path, str(error))  # not valid JSON, so damaged whichever version wrote it
    if head.format > FORMAT:
        return _of_newer_format(path, head.format)
    if not head.cell and not head.status:
        return Unreadable(path, "it has neither a cell nor a status", is_foreign=True)
    # A field may be added without raising the format, so an unknown field also means a newer version.
    return Unreadable(path, str(error), is_newer=str(error).startswith(_UNKNOWN_FIELD))


def _of_newer_format(path: Path, format_: int) -> Unreadable:
    return Unreadable(path, f"it is of format {format_}, and this version reads {FORMAT}", is_newer=True)
