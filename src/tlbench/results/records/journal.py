"""`work/index.journal`: an append-only log with the summary of each record, written when the record is committed.

The next leaderboard builds the index from the journal instead of reading every record; the process that writes that
index then deletes the journal. The journal is derived from the records and can be deleted at any time.

Each entry is one line: a checksum over the entry and tlbench's code, then the entry as JSON. An entry is used only if
the record's file still has the size and modification time it was committed with. A missing, truncated, corrupted or
foreign entry therefore costs reading one record and has no other effect.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TypeAlias

import msgspec

from tlbench.contracts.cell import Plan
from tlbench.contracts.record import Provenance, Record
from tlbench.results.records.code_version import code_version
from tlbench.results.records.record_files import read_regular_file, record_of
from tlbench.results.records.summaries import CellSummary, Setting, Summaries
from tlbench.system.durable import Stamp
from tlbench.system.portable.open_flags import APPEND

NAME = "index.journal"
_CHECKSUM_LENGTH = 8
"""Number of hexadecimal digits of the checksum at the start of each entry."""
# A folder of records may come from someone else. O_NOFOLLOW refuses a symbolic link in place of the journal, and
# O_NONBLOCK makes opening a named pipe fail at once instead of waiting for a reader.
_FLAGS = APPEND
_MAX_BYTES = 2**30
"""A journal larger than this is not appended to."""


# gc=False here and in CellSummary: there may be 100,000 of them, and the garbage collector would walk each one although
# they hold only strings and numbers and cannot form a cycle.
class _Committed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, tag="record", gc=False):
    """The summary of one record, with the size in bytes and modification time in nanoseconds of its file."""

    size: int
    time: int
    summary: CellSummary


class _Shared(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, tag="shared"):
    """Values that several summaries refer to by key; written before the first summary that needs them."""

    settings: dict[str, Setting]
    provenances: dict[str, Provenance]
    metrics: dict[str, tuple[str, ...]]


class _Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, tag="plan"):
    """The ids of a plan's cells, with the size and modification time of the plan's file.

    They are stored because computing an id (a hash of the cell) is slower than reading one.
    """

    size: int
    time: int
    suite: str
    cells: list[str]


_Entry: TypeAlias = _Committed | _Shared | _Planned
_decoder: msgspec.json.Decoder[_Entry] = msgspec.json.Decoder(_Committed | _Shared | _Planned)


class Journal:
    """Appends to the journal of one folder of records; safe with several processes at once.

    A journal that cannot be written is not an error, since its whole content can be read from the records.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "work" / NAME
        self._written_keys: set[str] = set()
        """Keys of the shared values that this object has written to the current journal."""
        self._end = (0, 0)
        """Inode of the journal and its length in bytes after this object's last write."""

    def add(self, path: Path, content: bytes, stamp: Stamp) -> None:
        """Appends the summary of a record whose file was just written with this content."""
        with suppress(OSError, ValueError, ArithmeticError):
            # Decode the bytes instead of taking the record in memory, so that the summary equals the one that a later
            # reader of the file would compute: values may change in a round trip through JSON.
            record = record_of(path, content)
            if isinstance(record, Record):
                summaries = Summaries()
                summaries.add(record, path.name.partition(".")[0])
                self._append(_Committed(*stamp, summaries.cells[0]), summaries)

    def add_plan(self, plan: Plan, stamp: Stamp) -> None:
        """Appends the ids of the cells of a plan whose file was just written."""
        with suppress(OSError, ValueError):
            self._append(_Planned(*stamp, plan.suite, [cell.id for cell in plan.cells]))

    def _append(self, entry: _Entry, summaries: Summaries | None = None) -> None:
        # Opened anew for each entry: a leaderboard may have deleted the file since the last one, and writing through
        # an old handle would append to the deleted file.
        handle = os.open(self._path, _FLAGS, 0o644)
        try:
            status = os.fstat(handle)
            # More than one hard link means that the same file has another name, perhaps outside this folder.
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > _MAX_BYTES:
                return
            # Another inode, or a shorter file: a new journal, without the shared values written to the old one.
            if status.st_ino != self._end[0] or status.st_size < self._end[1]:
                self._written_keys.clear()
            shared = (summaries or Summaries()).without_shared(self._written_keys)
            keys = {*shared.settings, *shared.provenances, *shared.metrics}
            entries = [_Shared(shared.settings, shared.provenances, shared.metrics), entry] if keys else [entry]
            # One write in append mode, so that the entries of two processes cannot interleave and no lock is needed.
            # There is no fsync: after a crash the checksum exposes a damaged entry, and the record itself is on disk.
            encoded = b"".join(map(_encoded, entries))
            if os.write(handle, encoded) == len(encoded):
                self._written_keys |= keys
                self._end = status.st_ino, status.st_size + len(encoded)
        finally:
            os.close(handle)


@dataclass(frozen=True)
class JournalContent:
    """The valid entries of a journal."""

    summaries: Summaries
    stamps: tuple[Stamp, ...] = ()
    """Size and modification time of the record file of each summary."""
    plan: tuple[Stamp, str, list[str]] | None = None
    """The last plan: size and modification time of its file, suite, and ids of its cells; None without a plan."""

    def matching(self, files: Mapping[str, Stamp]) -> dict[str, CellSummary]:
        """Returns, by file name, the summaries of the files that have not changed since they were committed.

        If a file has several entries, the last one counts.
        """
        stamped = zip(self.summaries.cells, self.stamps, strict=True)
        return {name: summary for summary, stamp in stamped if files.get(name := summary.file) == stamp}


def read_journal(root: Path, max_bytes: int) -> JournalContent:
    """Returns the content of a folder's journal; empty if it cannot be read or is larger than `max_bytes`."""
    summaries, stamps, plan = Summaries(), [], None
    try:
        content = read_regular_file(root / "work" / NAME, max_bytes)
    except (OSError, MemoryError):
        content = b""
    for entry in _entries(content):
        if isinstance(entry, _Committed):
            summaries.cells.append(entry.summary)
            stamps.append((entry.size, entry.time))
        elif isinstance(entry, _Shared):
            summaries.extend(Summaries([], entry.settings, entry.provenances, entry.metrics))
        else:
            plan = (entry.size, entry.time), entry.suite, entry.cells
    # Checked at the end, as the shared values that a summary refers to may have been lost with another entry.
    valid = summaries.valid()
    return JournalContent(summaries.subset(compress(summaries.cells, valid)), tuple(compress(stamps, valid)), plan)


def _entries(content: bytes) -> list[_Entry]:
    """Returns the entries of a journal in order, without those that cannot be used."""
    # Left out: blank, cut short by a kill or a full disk, corrupted, or written by another version of the code.
    intact = [
        encoded
        for line in content.split(b"\n")
        if line[:_CHECKSUM_LENGTH] == _checksum(encoded := line[_CHECKSUM_LENGTH:])
    ]
    try:
        return _decoder.decode_lines(b"\n".join(intact))
    except (ValueError, RecursionError):
        # A checksum is no signature: the sender of a folder can compute it for any content.
        return [entry for encoded in intact if (entry := _decoded(encoded)) is not None]


def _decoded(encoded: bytes) -> _Entry | None:
    try:
        return _decoder.decode(encoded)
    except (ValueError, RecursionError):
        return None


def remove_journal(root: Path) -> None:
    """Deletes the journal of a folder; does nothing if there is none or it cannot be deleted."""
    with suppress(OSError):
        (root / "work" / NAME).unlink()


def _encoded(entry: _Entry) -> bytes:
    """Returns an entry as bytes for the file: newline, checksum, JSON."""
    encoded = msgspec.json.encode(entry)
    # The newline comes first, so that an entry cut short before this one cannot swallow it.
    return b"\n%s%s" % (_checksum(encoded), encoded)


def _checksum(encoded: bytes) -> bytes:
    # Starting from the checksum of the code voids entries of another version, whose summaries may differ.
    return b"%08x" % zlib.crc32(encoded, code_version())
