"""Opens a cell for this process: takes its lease, which no other process can hold at the same time."""

from __future__ import annotations

from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.running.cells.attempt import Attempt, OrderDefaults
from tlbench.running.cells.cell_folder import CellFolder
from tlbench.running.cells.cell_run import CellRun


def open_cell(attempt: Attempt, catalog: Catalog, defaults: OrderDefaults) -> CellRun | None:
    """Takes the cell's lease and returns the cell's run; returns None if another process has the cell."""
    if defaults.sharing is not None and defaults.sharing.is_taken(attempt.cell.id, attempt.number):
        return None
    folder = CellFolder(Path(attempt.folder))
    lease = folder.lease()
    if lease is None:
        return None
    try:
        if attempt.record:
            folder.drop_deleted(Path(attempt.record))
        return CellRun(attempt, catalog, defaults, folder, lease)
    except BaseException:
        # A later run in this process would wait for the lease for ever.
        lease.release()
        raise
