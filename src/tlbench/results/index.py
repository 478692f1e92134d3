"""`index.bin`: a cache beside the records, so that a leaderboard does not read every record again.

The file holds the summary of each record, with the size and modification time of the record's file, and the ranks that
were computed by paired tests on stored predictions. It is derived data and can be deleted at any time. If the file is
damaged, out of date or was written by another version of the code, its content is rebuilt from the journal
(`journal.py`), to which each commit of a record adds an entry, and from the records without a valid entry in the
journal. Nothing is written to a folder without write access. There is no lock: if two processes write the index at the
same time, one of the two files stays, and either is correct.
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
from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.metrics import METRICS
from tlbench.results.ranking import Place, Ranked
from tlbench.results.records.code_version import code_version
from tlbench.results.records.journal import JournalContent, read_journal, remove_journal
from tlbench.results.records.kept_predictions import SUFFIX, VALIDATION_SUFFIX
from tlbench.results.records.parallel_reading import read_summaries
from tlbench.results.records.record_files import Unreadable, newest_attempts
from tlbench.results.records.store import Store
from tlbench.results.records.summaries import CellSummary, Summaries
from tlbench.results.significance.score_variance import ScoreVariance
from tlbench.system.durable import Stamp, stamp_of

NAME = "index.bin"
MIN_RECORDS = 200
"""Minimum number of records to write an index for; below it, an index costs more time than it saves."""
_MAX_BYTES, _MAX_BYTES_PER_FILE = 2**24, 2**12
"""Size limit of the index and of the journal: a fixed part, and a part for each file in the folder of records.

A larger file is not read, because a file from someone else could fill the memory. Real files are far smaller.
"""
_Places = tuple[
    list[int | None],
    list[int | None],
    list[str],
    list[float | None],
    list[float | None],
    list[ScoreVariance | None],
    list[tuple[float, float, float] | None],
    list[float | None],
]
"""The fields of `Place` for a group of summaries, as lists, which take less space than a list of places."""


class _Content(msgspec.Struct, array_like=True):
    """The content of the index file."""

    sizes: list[int] = []
    """Size in bytes of the record file of each summary."""
    times: list[int] = []
    """Modification time in nanoseconds of the record file of each summary."""
    summaries: Summaries = msgspec.field(default_factory=Summaries)
    places: dict[str, _Places] = {}
    """Ranks, by a digest of the records and predictions that they were computed from."""
    plan: tuple[int, int] = (-1, -1)
    """Size and modification time of the plan's file when `planned` was read from it; (-1, -1) if there is no plan."""
    suite: str = ""
    planned: list[str] = []
    """Ids of the plan's cells, stored because computing ids is slower than reading them."""


class Index:
    """Summaries and ranks of one folder of records, from the cache where it is up to date, else from the records."""

    def __init__(self, store: Store) -> None:
        self._store, self._path = store, store.root / NAME
        self._files = store.listing()
        self._max_bytes = _MAX_BYTES + _MAX_BYTES_PER_FILE * len(self._files)
        self._content = _decoded(self._path, self._max_bytes)
        self._journal: JournalContent | None = None
        self._stamps: dict[str, Stamp] = {}
        """Size and modification time of the newest record file of each cell, by cell id."""
        self._used: dict[str, _Places] = {}
        """Ranks that this process has looked up or computed; saving the index keeps all of these."""
        self._changed = self._skip_cache = False

    @property
    def is_empty(self) -> bool:
        """Whether no index could be read, so that all records must be read and ranked again."""
        return not self._content.summaries.cells

    def count_predictions(self) -> int:
        """Returns the number of files with test predictions in the folder of records."""
        return sum(name.endswith(SUFFIX) and not name.endswith(VALIDATION_SUFFIX) for name in self._files)

    def summaries(self, unreadable: Callable[[Unreadable], None], read: Iterable[Record] = ()) -> Summaries:
        """Returns the summary of the newest record of each cell, in order of the cells' ids.

        Args:
            unreadable: Called with each record file that cannot be read.
            read: Records of this folder that the caller has already read, so that they are not read again.
        """
        content = self._content
        if self._is_current():
            return content.summaries.subset(content.summaries.cells)
        stamps = zip(content.sizes, content.times, strict=True)
        known = {summary.cell: (summary, stamp) for summary, stamp in zip(content.summaries.cells, stamps, strict=True)}
        cells: dict[str, CellSummary] = {}
        missing: list[str] = []
        for cell_id, attempt in newest_attempts(self._files).items():
            name = f"{cell_id}.{attempt}.json"
            summary, stamp = known.get(cell_id, (None, None))
            if summary is not None and summary.attempt == attempt and stamp == self._files[name]:
                cells[cell_id] = summary
            else:
                missing.append(name)
        # Fewer summaries than before: records were deleted, and the index must forget them.
        self._changed = bool(missing) or len(cells) != len(known)
        summaries = content.summaries
        for added in self._added(missing, read, unreadable):
            cells |= {summary.cell: summary for summary in added.cells}
            summaries.extend(added)
        summaries.cells = [cells[cell_id] for cell_id in sorted(cells)]
        summaries.prune()
        # Stamps from the listing, taken before this index read any record: a file replaced meanwhile has a newer stamp
        # and is read again next time. A stamp taken now could vouch for content that was never read.
        self._stamps = {summary.cell: self._files[summary.file] for summary in summaries.cells}
        content.sizes = [size for size, _ in self._stamps.values()]
        content.times = [time for _, time in self._stamps.values()]
        return summaries.subset(summaries.cells)

    def _is_current(self) -> bool:
        """Returns whether the index matches the records on disk exactly; faster than comparing summaries one by one."""
        content = self._content
        names = [summary.file for summary in content.summaries.cells]
        stamps = list(zip(content.sizes, content.times, strict=True))
        if stamps != [self._files.get(name) for name in names]:
            return False
        self._stamps = dict(zip((summary.cell for summary in content.summaries.cells), stamps, strict=True))
        # Also false for two summaries of one cell, for older attempts and for other files: the slow way sorts them out.
        return len(self._stamps) == len(names) == sum(name.endswith(".json") for name in self._files)

    def _added(
        self, missing: Sequence[str], read: Iterable[Record], unreadable: Callable[[Unreadable], None]
    ) -> Iterator[Summaries]:
        """Yields summaries of the `missing` record files, from the journal where possible, else from the files."""
        if missing:
            journal = self._read_journal()
            known = journal.matching(self._files)
            yield journal.summaries.subset(known[name] for name in missing if name in known)
            yield self._read(sorted(name for name in missing if name not in known), read, unreadable)

    def _read_journal(self) -> JournalContent:
        if self._journal is None:
            self._journal = read_journal(self._store.root, self._max_bytes)
            plan = self._journal.plan
            # Taken over even if the plan is never requested, because saving the index deletes the journal. But only if
            # it is the plan that is there now: an older entry must not replace the ids that the index knows.
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
        """Returns the summaries of the record files with these names; `read` has records that were read already."""
        summaries, unread = Summaries(), set(names)
        for record in read:
            cell_id = record.cell.id
            name = f"{cell_id}.{record.attempt}.json"
            if name in unread:
                unread.remove(name)
                summaries.add(record, cell_id)
        added, bad = read_summaries(self._store, [name for name in names if name in unread])
        for file in bad:
            unreadable(file)
        summaries.extend(added)
        return summaries

    def planned(self) -> tuple[str, list[str]] | None:
        """Returns the suite of the last run's plan and the ids of its cells, or None if there is no plan."""
        content, stamp = self._content, self._plan_stamp()
        if stamp is None:
            return None
        # From the cheapest source to the most expensive: the index, the journal, the plan itself.
        if content.plan != stamp:
            self._read_journal()
            if content.plan != stamp:
                plan = self._store.plan()
                if plan is None:
                    return None
                content.plan, content.suite, content.planned = stamp, plan.suite, [cell.id for cell in plan.cells]
            self._changed = True
        return content.suite, content.planned

    def has_ranks(self, metric: Metric, group: Sequence[CellSummary]) -> bool:
        """Returns whether the ranks of this group are cached; True without a look-up if no record has changed."""
        if not self._changed:
            return True
        # Without any cached ranks there is no need to compute a key.
        return bool(self._content.places) and self._key(metric.name, group) in self._content.places

    def cached(self, ranked: Ranked) -> Ranked:
        """Returns `ranked` with a cache.

        Ranks by tlbench's own metrics are reused until records, predictions or tlbench's code change; ranks by a
        plugin's metric are always computed.
        """

        def places(metric: Metric, group: Sequence[CellSummary]) -> list[Place]:
            if metric.name not in METRICS:
                # `code_version` covers tlbench's own metrics; a plugin's may have changed since the last time.
                return ranked(metric, group)
            key = self._key(metric.name, group)
            known = self._used.get(key) or self._content.places.get(key)
            if known is not None and len(known[0]) == len(group):
                self._used[key] = known
                return [Place(*place) for place in zip(*known, strict=True)]
            # `ranked` may call `skip_cache`.
            self._skip_cache = False
            computed = ranked(metric, group)
            if not self._skip_cache:
                self._used[key] = (
                    [place.rank for place in computed],
                    [place.rank_last for place in computed],
                    [place.ranked_by for place in computed],
                    [place.low for place in computed],
                    [place.high for place in computed],
                    [place.variance for place in computed],
                    [place.from_best for place in computed],
                    [place.detectable for place in computed],
                )
                self._changed = True
            return computed

        return places

    def skip_cache(self) -> None:
        """Keeps the ranks now being computed out of the cache, because a file of predictions could not be read.

        Cached ranks would be reused without a message, even if the file is readable next time.
        """
        self._skip_cache = True

    def save(self) -> None:
        """Writes the index if it has changed, holds enough records and the folder can be written."""
        content = self._content
        if not self._changed or len(content.summaries.cells) < MIN_RECORDS:
            return
        content.places = _most_recent(self._used, content.places, 3 * len(content.summaries.cells))
        encoded = msgspec.msgpack.encode(content)
        # A name of its own for each process, and then one rename: a reader sees the old file or the new, never a part.
        temporary = self._path.with_name(f".{NAME}.{secrets.token_hex(6)}.tmp")
        try:
            # No fsync: a file damaged by a crash fails its checksum, and everything in it can be rebuilt.
            temporary.write_bytes(_head(encoded) + encoded)
            os.replace(temporary, self._path)
            if self._journal is not None:
                # The index now holds the journal's content. Entries added to the journal since it was read are lost,
                # so their records must be read once more.
                remove_journal(self._store.root)
        except OSError:
            pass  # no write access, or a full disk: the next leaderboard starts without an index
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._changed = False

    def _key(self, metric: str, group: Sequence[CellSummary]) -> str:
        """Returns a digest of the metric and of the size and modification time of all records and predictions."""
        stamps = [(one.cell, self._stamps.get(one.cell), self._files.get(one.predictions or "")) for one in group]
        return hashlib.sha256(msgspec.msgpack.encode((metric, stamps))).hexdigest()[:32]


def _decoded(path: Path, max_bytes: int) -> _Content:
    """Returns the content of an index file; empty if the file is missing, damaged or from another code version."""
    try:
        content = read_regular_file(path, max_bytes)
        start = len(_head(b""))
        encoded = memoryview(content)[start:]
        if content[:start] == _head(encoded):
            decoded = msgspec.msgpack.decode(encoded, type=_Content)
            # The checksum shows damage, not intent: the file may have been written by someone else.
            equal_lengths = len(decoded.sizes) == len(decoded.times) == len(decoded.summaries.cells)
            if equal_lengths and all(decoded.summaries.valid()):
                return decoded
    except (OSError, MemoryError, RecursionError, ValueError):  # msgspec's own errors are ValueErrors
        pass
    return _Content()


def _most_recent(used: dict[str, _Places], known: dict[str, _Places], limit: int) -> dict[str, _Places]:
    """Returns all ranks in `used`, and further ones from `known` up to a total of `limit` ranks."""
    kept = dict(used)
    size = sum(len(places[0]) for places in kept.values())
    for key, places in known.items():
        size += len(places[0])
        if key not in kept and size <= limit:
            kept[key] = places
    return kept


def _head(encoded: bytes | memoryview) -> bytes:
    """Returns the first line of an index file with this content: the code version and a checksum."""
    return b"tlbench index %08x %08x\n" % (code_version(), zlib.crc32(encoded))
