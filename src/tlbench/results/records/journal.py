"""`work/index.journal`: the line of each record, added when it is committed. Derived, disposable and never the truth.

It is what the next leaderboard makes the index of, without reading the records; whoever has written that index removes
it. Each entry stands on a line of its own: a checksum of it and of the code that makes lines, then JSON. An entry is
believed of a file only as long as that has the size and the time of writing it was committed with, so whatever is
missing here, cut short, changed or from elsewhere costs reading a record and nothing else.
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
from tlbench.results.records.record_files import content_of, record_of
from tlbench.results.records.summaries import CellSummary, Setting, Summaries
from tlbench.system.durable import Stamp

NAME = "index.journal"
_CHECKSUM = 8
"""How many characters an entry begins with before its JSON."""
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FULL = 2**30
"""How many bytes a journal may have that is added to."""


class _Committed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, tag="record", gc=False):
    """The line of one record, and the stamp of its file."""

    size: int
    time: int
    line: CellSummary


class _Shared(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, tag="shared"):
    """What lines have in common, before the first that needs it."""

    settings: dict[str, Setting]
    made: dict[str, Provenance]
    metrics: dict[str, tuple[str, ...]]


class _Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, tag="plan"):
    """The ids of a plan's cells, which take longer to make than to read, and the stamp of its file."""

    size: int
    time: int
    suite: str
    cells: list[str]


_Entry: TypeAlias = _Committed | _Shared | _Planned
_decode = msgspec.json.Decoder(_Committed | _Shared | _Planned).decode


class Journal:
    """Adds to the journal of one folder of records; safe with several processes at once.

    Nothing is raised where it cannot be written: records say all that it says.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "work" / NAME
        self._said: set[str] = set()
        """Keys of what lines have in common that this object has added."""
        self._end = (0, 0)
        """The file that they are in, and how long it was then."""

    def add(self, path: Path, content: bytes, stamp: Stamp) -> None:
        """Adds the line of a record of which the file was written just now."""
        with suppress(OSError, ValueError, ArithmeticError):
            # Made of the bytes, so that it is the line that whoever reads the file would make.
            record = record_of(path, content)
            if isinstance(record, Record):
                lines = Summaries()
                lines.add(record, path.name.partition(".")[0])
                self._append(_Committed(*stamp, lines.rows[0]), lines)

    def add_plan(self, plan: Plan, stamp: Stamp) -> None:
        """Adds the ids of the cells of a plan of which the file was written just now."""
        with suppress(OSError, ValueError):
            self._append(_Planned(*stamp, plan.suite, [cell.id for cell in plan.cells]))

    def _append(self, entry: _Entry, lines: Summaries | None = None) -> None:
        # Opened for each entry: a leaderboard may have removed the file since.
        handle = os.open(self._path, _FLAGS, 0o644)
        try:
            status = os.fstat(handle)
            # In a folder that somebody sent it may be a pipe, or another name of a file that lies elsewhere.
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > _FULL:
                return
            if status.st_ino != self._end[0] or status.st_size < self._end[1]:
                self._said.clear()
            shared = (lines or Summaries()).without(self._said)
            keys = {*shared.settings, *shared.made, *shared.metrics}
            entries = [_Shared(shared.settings, shared.made, shared.metrics), entry] if keys else [entry]
            # In one piece, so that two writers never mix.
            whole = b"".join(map(_packed, entries))
            if os.write(handle, whole) == len(whole):
                self._said |= keys
                self._end = status.st_ino, status.st_size + len(whole)
        finally:
            os.close(handle)


@dataclass(frozen=True)
class Journalled:
    """What a journal says."""

    lines: Summaries
    stamps: tuple[Stamp, ...] = ()
    """Of the file of each line."""
    plan: tuple[Stamp, str, list[str]] | None = None
    """The stamp of the last plan, its suite and the ids of its cells."""

    def of(self, files: Mapping[str, Stamp]) -> dict[str, CellSummary]:
        """Returns the lines of those of these files that are as they were committed, by the file's name."""
        rows = zip(self.lines.rows, self.stamps, strict=True)
        # Of several entries for one file the last.
        return {name: line for line, stamp in rows if files.get(name := line.file) == stamp}


def read_journal(root: Path, most: int) -> Journalled:
    """Returns what the journal of a folder says; nothing where it cannot be read or has more than `most` bytes."""
    lines, stamps, plan = Summaries(), [], None
    try:
        content = content_of(root / "work" / NAME, most)
    except (OSError, MemoryError):
        content = b""
    for whole in content.split(b"\n"):
        packed = whole[_CHECKSUM:]
        if not packed or whole[:_CHECKSUM] != _checksum(packed):
            continue
        try:
            entry = _decode(packed)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, _Committed):
            lines.rows.append(entry.line)
            stamps.append((entry.size, entry.time))
        elif isinstance(entry, _Shared):
            lines.join(Summaries([], entry.settings, entry.made, entry.metrics))
        else:
            plan = (entry.size, entry.time), entry.suite, entry.cells
    sound = lines.sound()
    return Journalled(lines.of(compress(lines.rows, sound)), tuple(compress(stamps, sound)), plan)


def remove_journal(root: Path) -> None:
    """Removes the journal of a folder, if there is one and that can be done."""
    with suppress(OSError):
        (root / "work" / NAME).unlink()


def _packed(entry: _Entry) -> bytes:
    """Returns an entry as it stands in the file, on a new line: the last one may have been cut short."""
    packed = msgspec.json.encode(entry)
    return b"\n%s%s" % (_checksum(packed), packed)


def _checksum(packed: bytes) -> bytes:
    return b"%08x" % zlib.crc32(packed, code_version())
