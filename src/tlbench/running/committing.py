"""Commits finished records: kept models first, then the record, then observers are told."""

from __future__ import annotations

import logging
from pathlib import Path

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.executor import KeepModels
from tlbench.contracts.record import Record
from tlbench.results.models.kept_models import keep_models
from tlbench.results.records.kept_predictions import UnstorableRecord
from tlbench.results.records.store import Store
from tlbench.running.cells.attempt import Attempt
from tlbench.running.cells.failures import CellFailed, failure_record

_log = logging.getLogger(__name__)


def commit_record(
    record: Record, folder: Path, store: Store, catalog: Catalog, kept: KeepModels
) -> tuple[Record, bool]:
    """Commits a finished record, and removes the files that only its cell needed.

    Returns:
        The record, or one of a failure if it cannot be stored; and False if the attempt was committed before.

    Raises:
        StoreError: The record could not be stored.
    """
    try:
        # Before the record: a run that is killed between the two commits the record again, and finds them moved.
        if kept != "none" and record.status == "ok":
            better = catalog.metric(record.metrics[0]).greater_is_better
            keep_models(record, folder, store.root, kept, better)
        is_new = store.commit(record, folder)
    except UnstorableRecord as error:
        # Only this cell is at fault: it gets a failure record with the reason, and the run goes on.
        attempt = Attempt(record.cell, str(folder), record.attempt)
        record = failure_record(attempt, CellFailed("failed", str(error)))
        is_new = store.commit(record, folder)
    if is_new:
        # The files of a cell without scores are kept, for a run that continues it.
        if record.status == "ok":
            store.tidy(folder)
        catalog.recorded(record.cell, record)
    outcome = f"{record.status}{f': {record.reason}' if record.reason else ''}"
    _log.info("%s: %s", record.cell.title, outcome if is_new else "another run has stored its record")
    return record, is_new
