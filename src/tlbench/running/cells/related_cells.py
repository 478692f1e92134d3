"""Finds cells that share fits with a cell, so that an attempt at the cell can reuse their finished fits."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping

from tlbench.contracts.cell import FITS_PREFIX_LENGTH, Cell
from tlbench.contracts.errors import StoreError
from tlbench.contracts.record import Record
from tlbench.results.records.commit_marks import is_deleted
from tlbench.results.records.record_files import attempts_in
from tlbench.results.records.store import Store
from tlbench.running.staleness import StalenessChecker


class RelatedCells:
    """The attempts in a results folder, grouped by the id prefix that cells with the same fits have in common."""

    def __init__(
        self,
        store: Store,
        ids: Iterable[str],
        attempts: Mapping[str, int],
        staleness: StalenessChecker | None = None,
    ) -> None:
        """Lists the attempts in a results folder.

        Args:
            store: The results folder.
            ids: Ids of the cells that have, or are going to have, a record in the folder.
            attempts: The number of the newest attempt with a record, by cell id.
            staleness: If given, fits are reused only from records that are not stale, and not from unfinished cells.
        """
        self._store, self._staleness = store, staleness
        # Ids begin with a digest of what identifies the fits, so that a listing is enough and no index is needed.
        self._attempts: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for cell_id in ids:
            newest = attempts.get(cell_id, 0)
            # The attempt after the newest record may be running, or have been interrupted.
            self._attempts[cell_id[:FITS_PREFIX_LENGTH]] |= {(cell_id, newest), (cell_id, newest + 1)}
        for cell_id, attempt in _work_folders(store):
            # Older attempts are not reused: somebody asked for the cell to be run again from the start.
            if attempt >= attempts.get(cell_id, 0):
                self._attempts[cell_id[:FITS_PREFIX_LENGTH]].add((cell_id, attempt))

    def sources(self, cell_id: str, attempt: int) -> tuple[str, ...]:
        """Returns the work folders and record files that this attempt may reuse fits from; some may not exist yet."""
        found: list[str] = []
        for other in sorted(self._attempts[cell_id[:FITS_PREFIX_LENGTH]]):
            if other[1] > 0 and other != (cell_id, attempt):
                found += self._paths(*other)
        return tuple(found)

    def _paths(self, cell_id: str, attempt: int) -> list[str]:
        record = self._store.record_path(cell_id, attempt).resolve()
        if self._staleness is not None:
            stored = self._store.attempt(cell_id, attempt)
            return [str(record)] if isinstance(stored, Record) and not self._staleness.is_stale(stored) else []
        if is_deleted(self._store.root / "work" / f"{cell_id}.{attempt}", record):
            return []
        try:
            # The folder comes first: if the cell is committed while its folder is read, its record is read after that.
            return [str(self._store.work(cell_id, attempt).resolve()), str(record)]
        except StoreError:
            return [str(record)]


def has_more_time(record: Record, cell: Cell) -> bool:
    """Returns whether a time limit ended the record's cell or its search, and `cell` has a longer one."""
    before, limit = record.cell.protocol.max_seconds, cell.protocol.max_seconds
    was_stopped = record.status == "timeout" or record.trials_planned is not None
    return was_stopped and before is not None and (limit is None or limit > before)


def _work_folders(store: Store) -> list[tuple[str, int]]:
    try:
        # Work folders are named as records are, without the suffix.
        return list(attempts_in(f"{name}.json" for name in os.listdir(store.root / "work")))
    except OSError:
        return []
