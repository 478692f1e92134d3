"""Finds the record of the cell that a user names."""

from __future__ import annotations

from pathlib import Path

from tlbench.contracts.errors import StoreError, UnknownName, UsageError
from tlbench.contracts.record import Record
from tlbench.results.records.cell_ids import full_id
from tlbench.results.records.store import Store


def finished_record(name: str, out: Path) -> Record:
    """Returns the newest record of a cell that has scores.

    Args:
        name: The id of the cell, the beginning of its id, or its title "backbone | task | strategy".
        out: The results folder.

    Raises:
        UnknownName: No cell of the folder has this id or title.
        UsageError: Several cells have it, or the cell has no scores.
        StoreError: The folder has no results, or the record cannot be read.
    """
    store = Store.open(out)
    if " | " in name:
        titled = [record for record in store.records() if record.cell.title == name]
        if len(titled) > 1:
            raise UsageError(f"{len(titled)} cells are {name!r}: give an id, {' or '.join(r.cell.id for r in titled)}")
        record = titled[0] if titled else None
    else:
        try:
            record = store.record(full_id(name, store.attempts()))
        except UnknownName as error:
            # With the folder, since the cell may be in another one.
            raise UnknownName(f"{out}: {error}; `tlbench leaderboard --all` shows the cells there are") from None
        if record is None:
            raise StoreError(f"{out}: the record of {name} cannot be read; `tlbench run` runs the cell again")
    if record is None:
        raise UnknownName(f"{out}: no cell is {name!r}; `tlbench leaderboard --all` shows the cells there are")
    if record.status != "ok" or not record.fits:
        raise UsageError(f"{record.cell.title}: it ended without a result ({record.status}), so it has no winner")
    return record
