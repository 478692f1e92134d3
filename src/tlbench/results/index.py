"""`index.bin`, a derived file beside the records that spares reading them all again. Never the truth.

It holds the line of every record, known by the file's name, size and time of writing, and ranks that took paired tests
of many predictions. What is damaged, of another version or out of date is made again: of the journal, which is added to
as records are committed (`journal.py`), and of those records that it does not know as they are now. What cannot be
written, in a folder that others own, is not. Of two processes that write it at once one wins, and either is right.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.metrics import METRICS
from tlbench.results.ranking import Place, Ranked
from tlbench.results.records.code_version import code_version
from tlbench.results.records.journal import Journalled, read_journal, remove_journal
from tlbench.results.records.parallel_reading import read_lines
from tlbench.results.records.record_files import Unreadable, content_of, newest_attempts
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import CellSummary, Summaries
from tlbench.system.durable import Stamp, stamp_of

NAME = "index.bin"
WORTH = 200
"""How many records it takes for an index to save more time than it costs."""
_MOST_BYTES, _MOST_BYTES_EACH = 2**24, 2**12
"""How large a file may be that is read: so much, and so much for each file among the records; more than is needed."""
_Places = tuple[list[int | None], list[bool], list[str]]


class _Content(msgspec.Struct, array_like=True):
    sizes: list[int] = []
    times: list[int] = []
    """Of the file of each line."""
    lines: Summaries = msgspec.field(default_factory=Summaries)
    places: dict[str, _Places] = {}
    """By what they were made of."""
    plan: tuple[int, int] = (-1, -1)
    """The stamp of the plan's file."""
    suite: str = ""
    planned: list[str] = []
    """The ids of the plan's cells, which take longer to make than to read."""


class Index:
    """What is known of a folder's records, brought up to date as it is asked for."""

    def __init__(self, store: Store) -> None:
        self._store, self._path = store, store.root / NAME
        self._files = store.listing()
        self._most = _MOST_BYTES + _MOST_BYTES_EACH * len(self._files)
        self._content = _decoded(self._path, self._most)
        self._journal: Journalled | None = None
        self._stamps: dict[str, Stamp] = {}
        """Of the record of each cell."""
        self._used: dict[str, _Places] = {}
        self._changed = self._doubtful = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept from an earlier leaderboard."""
        return not self._content.lines.rows

    def count_predictions(self) -> int:
        """Returns how many files of predictions lie beside the records."""
        return sum(name.endswith(".parquet") for name in self._files)

    def lines(self, unreadable: Callable[[Unreadable], None], read: Iterable[Record] = ()) -> Summaries:
        """Returns the line of the newest record of every cell, in order of their ids.

        Args:
            unreadable: Is told of every file that is no record.
            read: Records of the folder that were read already, and need not be read again.
        """
        content = self._content
        if self._is_current():
            return content.lines.of(content.lines.rows)
        stamps = zip(content.sizes, content.times, strict=True)
        known = {line.cell: (line, stamp) for line, stamp in zip(content.lines.rows, stamps, strict=True)}
        rows: dict[str, CellSummary] = {}
        missing: list[str] = []
        for cell_id, attempt in newest_attempts(self._files).items():
            name = f"{cell_id}.{attempt}.json"
            line, stamp = known.get(cell_id, (None, None))
            if line is not None and line.attempt == attempt and stamp == self._files[name]:
                rows[cell_id] = line
            else:
                missing.append(name)
        self._changed = bool(missing) or len(rows) != len(known)
        lines = content.lines
        for added in self._added(missing, read, unreadable):
            rows |= {line.cell: line for line in added.rows}
            lines.join(added)
        lines.rows = [rows[cell_id] for cell_id in sorted(rows)]
        lines.prune()
        self._stamps = {line.cell: self._files[line.file] for line in lines.rows}
        content.sizes = [size for size, _ in self._stamps.values()]
        content.times = [time for _, time in self._stamps.values()]
        return lines.of(lines.rows)

    def _is_current(self) -> bool:
        """Says, sooner than by looking at each, whether the folder holds what the index says and nothing else."""
        content = self._content
        names = [line.file for line in content.lines.rows]
        stamps = list(zip(content.sizes, content.times, strict=True))
        if stamps != [self._files.get(name) for name in names]:
            return False
        self._stamps = dict(zip((line.cell for line in content.lines.rows), stamps, strict=True))
        return len(self._stamps) == len(names) == sum(name.endswith(".json") for name in self._files)

    def _added(
        self, missing: Sequence[str], read: Iterable[Record], unreadable: Callable[[Unreadable], None]
    ) -> Iterator[Summaries]:
        """Yields the lines of these files of records: those that the journal has, and the others."""
        if missing:
            journalled = self._journalled()
            known = journalled.of(self._files)
            yield journalled.lines.of(known[name] for name in missing if name in known)
            yield self._read(sorted(name for name in missing if name not in known), read, unreadable)

    def _journalled(self) -> Journalled:
        if self._journal is None:
            self._journal = read_journal(self._store.root, self._most)
            plan = self._journal.plan
            # Taken over whether or not it is asked for: the journal is removed when the index is saved.
            if plan is not None and plan[0] == self._plan_stamp():
                self._content.plan, self._content.suite, self._content.planned = plan
        return self._journal

    def _plan_stamp(self) -> Stamp | None:
        try:
            return stamp_of((self._store.root / "plan.json").stat())
        except OSError:
            return None

    def _read(
        self, names: Sequence[str], read: Iterable[Record], unreadable: Callable[[Unreadable], None]
    ) -> Summaries:
        lines, asked = Summaries(), set(names)
        for record in read:
            cell_id = record.cell.id
            name = f"{cell_id}.{record.attempt}.json"
            if name in asked:
                asked.remove(name)
                lines.add(record, cell_id)
        added, bad = read_lines(self._store, [name for name in names if name in asked])
        for file in bad:
            unreadable(file)
        lines.join(added)
        return lines

    def planned(self) -> tuple[str, list[str]] | None:
        """Returns the suite of the last run's plan and the ids of its cells, or None where there is no plan."""
        content, stamp = self._content, self._plan_stamp()
        if stamp is None:
            return None
        if content.plan != stamp:
            self._journalled()
            if content.plan != stamp:
                plan = self._store.plan()
                if plan is None:
                    return None
                content.plan, content.suite, content.planned = stamp, plan.suite, [cell.id for cell in plan.cells]
            self._changed = True
        return content.suite, content.planned

    def is_known(self, metric: Metric, lines: Sequence[CellSummary]) -> bool:
        """Says whether the ranks of these lines are remembered; where nothing has changed it is taken for granted."""
        if not self._changed:
            return True
        # Without any there is no need to say which.
        return bool(self._content.places) and self._key(metric.name, lines) in self._content.places

    def remembered(self, ranked: Ranked) -> Ranked:
        """Returns what ranks as this does, and once only what rests on the same records and predictions."""

        def places(metric: Metric, lines: Sequence[CellSummary]) -> list[Place]:
            if metric.name not in METRICS:
                return ranked(metric, lines)  # nothing tells whether a plugin's code is still the same
            key = self._key(metric.name, lines)
            found = self._used.get(key) or self._content.places.get(key)
            if found is not None and len(found[0]) == len(lines):
                self._used[key] = found
                return [Place(*place) for place in zip(*found, strict=True)]
            self._doubtful = False
            made = ranked(metric, lines)
            if not self._doubtful:
                self._used[key] = [p.rank for p in made], [p.tied for p in made], [p.ranked_by for p in made]
                self._changed = True
            return made

        return places

    def doubt(self) -> None:
        """Keeps nothing of the ranks that are being made: a file of predictions could not be read."""
        self._doubtful = True

    def save(self) -> None:
        """Writes the file if it has changed, is worth it and can be written."""
        content = self._content
        if not self._changed or len(content.lines.rows) < WORTH:
            return
        content.places = _recent(self._used, content.places, 3 * len(content.lines.rows))
        packed = msgspec.msgpack.encode(content)
        temporary = self._path.with_name(f".{NAME}.{secrets.token_hex(6)}.tmp")
        try:
            # Not flushed to the disk: after a crash the checksum tells, and nothing is lost.
            temporary.write_bytes(_head(packed) + packed)
            os.replace(temporary, self._path)
            if self._journal is not None:
                # What it says stands in the index now; what was added meanwhile is read from the records.
                remove_journal(self._store.root)
        except OSError:
            pass  # a folder that others own, or a full disk
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._changed = False

    def _key(self, metric: str, lines: Sequence[CellSummary]) -> str:
        of_predictions = self._files.get
        rows = [(line.cell, self._stamps.get(line.cell), of_predictions(line.predictions or "")) for line in lines]
        return hashlib.sha256(msgspec.msgpack.encode((metric, rows))).hexdigest()[:32]


def _decoded(path: Path, most: int) -> _Content:
    try:
        content = content_of(path, most)
        start = len(_head(b""))
        packed = memoryview(content)[start:]
        if content[:start] == _head(packed):
            found = msgspec.msgpack.decode(packed, type=_Content)
            if len(found.sizes) == len(found.times) == len(found.lines.rows) and all(found.lines.sound()):
                return found
    except (OSError, MemoryError, RecursionError, ValueError):  # what msgspec raises of itself is a ValueError
        pass
    return _Content()


def _recent(used: dict[str, _Places], known: dict[str, _Places], limit: int) -> dict[str, _Places]:
    """Returns the ranks that were used, and of the others as many as the limit of lines allows."""
    kept = dict(used)
    size = sum(len(places[0]) for places in kept.values())
    for key, places in known.items():
        size += len(places[0])
        if key not in kept and size <= limit:
            kept[key] = places
    return kept


def _head(packed: bytes | memoryview) -> bytes:
    return b"tlbench index %08x %08x\n" % (code_version(), zlib.crc32(packed))
