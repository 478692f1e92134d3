"""Files of records: their names, and what can be read of one."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tlbench.contracts.record import FORMAT, Record

_NAME = re.compile(r"(?P<id>[0-9a-f]{16})\.(?P<attempt>[1-9][0-9]{0,8})\.json")
_UNKNOWN = "Object contains unknown field"
"""What msgspec says of a field that the type lacks."""


@dataclass(frozen=True)
class Unreadable:
    """A file among the records that this version cannot read."""

    path: Path
    reason: str
    is_newer: bool = False
    """Whether a newer version made it, so that it is a result, and only an upgrade is missing."""

    @property
    def message(self) -> str:
        """One line: which file, and what is the matter with it."""
        kind = "was made by a newer tlbench" if self.is_newer else "is damaged"
        return f"{self.path.name} {kind}: {self.reason}"


def read_record(path: Path) -> Record | Unreadable:
    """Returns the record in a file, or why there is none."""
    try:
        content = content_of(path)
    except (OSError, MemoryError) as error:
        return Unreadable(path, getattr(error, "strerror", None) or "it is too large")
    return record_of(path, content)


def record_of(path: Path, content: bytes) -> Record | Unreadable:
    """Returns the record that a file of this name and content holds, or why it holds none."""
    try:
        record = msgspec.json.decode(content, type=Record)
    except (ValueError, RecursionError) as error:  # what msgspec raises of itself is a ValueError
        return _unreadable(path, error, content)
    if record.format > FORMAT:
        return _of_format(path, record.format)
    if path.name != f"{record.cell.id}.{record.attempt}.json":
        return Unreadable(path, "it holds the record of another cell")
    return record


def newest_attempts(names: Iterable[str]) -> dict[str, int]:
    """Returns the newest attempt of every cell that has a record among files of these names."""
    newest: dict[str, int] = {}
    for cell_id, attempt in attempts_in(names):
        if attempt > newest.get(cell_id, 0):
            newest[cell_id] = attempt
    return newest


def attempts_in(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yields the cell and the attempt of every record among files of these names."""
    for name in names:
        if match := _NAME.fullmatch(name):
            yield match["id"], int(match["attempt"])


def content_of(path: Path, most: int | None = None) -> bytes:
    """Returns the bytes of a regular file; reading a pipe or a device would never end.

    Raises:
        OSError: It is no regular file, cannot be read, or has more than `most` bytes.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb", buffering=0) as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        if most is None:
            return file.read()
        if status.st_size > most:
            raise OSError(errno.EFBIG, "it is too large")
        # Of a file that grows meanwhile, what was there when it was opened.
        return file.read(status.st_size)


class _Head(msgspec.Struct):
    """The one field that a record of any format has."""

    format: int = 0


def _unreadable(path: Path, error: Exception, content: bytes) -> Unreadable:
    try:
        made = msgspec.json.decode(content, type=_Head).format
    except (ValueError, RecursionError):
        return Unreadable(path, str(error))  # not JSON as a whole: no version made it so
    if made > FORMAT:
        return _of_format(path, made)
    return Unreadable(path, str(error), is_newer=str(error).startswith(_UNKNOWN))


def _of_format(path: Path, made: int) -> Unreadable:
    return Unreadable(path, f"it is of format {made}, and this version reads {FORMAT}", is_newer=True)
