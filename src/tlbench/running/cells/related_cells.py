"""Where cells with the same fits have what they finished: what an order may take over."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping

from tlbench.contracts.cell import KIN, Cell
from tlbench.contracts.errors import StoreError
from tlbench.contracts.record import Record
from tlbench.results.records.record_files import attempts_in
from tlbench.results.records.store import Store
from tlbench.running.staleness import Now


class Kin:
    """Work folders and records of a folder of results, by what the ids of cells with the same fits begin with."""

    def __init__(self, store: Store, ids: Iterable[str], attempts: Mapping[str, int], now: Now | None = None) -> None:
        """Looks through a folder.

        Args:
            store: The folder.
            ids: Of the cells that have a record there, or are to have one.
            attempts: The newest attempt of each cell that has a record.
            now: What a record must have been made with; None where that does not matter.
        """
        self._store, self._now = store, now
        self._places: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for cell_id in ids:
            newest = attempts.get(cell_id, 0)
            # The next one is that of a run which is on its way, or was interrupted.
            self._places[cell_id[:KIN]] |= {(cell_id, newest), (cell_id, newest + 1)}
        for cell_id, attempt in _at_work(store):
            # What a newer attempt has taken the place of serves nobody: it was asked for anew.
            if attempt >= attempts.get(cell_id, 0):
                self._places[cell_id[:KIN]].add((cell_id, attempt))

    def sources(self, cell_id: str, attempt: int) -> tuple[str, ...]:
        """Returns the work folders and records, there or to come, that this attempt at a cell may take fits from."""
        found: list[str] = []
        for place in sorted(self._places[cell_id[:KIN]]):
            if place[1] > 0 and place != (cell_id, attempt):
                found += self._of(*place)
        return tuple(found)

    def _of(self, cell_id: str, attempt: int) -> list[str]:
        record = self._store.record_path(cell_id, attempt).resolve()
        if self._now is not None:
            made = self._store.attempt(cell_id, attempt)
            return [str(record)] if isinstance(made, Record) and not self._now.differs(made) else []
        try:
            # First the folder: what is committed while it is read is found in the record then.
            return [str(self._store.work(cell_id, attempt).resolve()), str(record)]
        except StoreError:
            return [str(record)]


def is_cut_short(record: Record, cell: Cell) -> bool:
    """Says whether a record is of a cell that ran out of time, and has more of it now."""
    before, limit = record.cell.protocol.max_seconds, cell.protocol.max_seconds
    return record.status == "timeout" and before is not None and (limit is None or limit > before)


def _at_work(store: Store) -> list[tuple[str, int]]:
    try:
        return list(attempts_in(f"{name}.json" for name in os.listdir(store.root / "work")))
    except OSError:
        return []
