"""The records of a results folder as a data frame."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.cell import Cell
from tlbench.contracts.metric import Metric
from tlbench.contracts.record import Record
from tlbench.contracts.untrusted.parquet_files import parquet_file
from tlbench.results.leaderboard import frame
from tlbench.results.reading.default_folder import results_folder
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store
from tlbench.system.integrity.sealed_json import DamagedFileError, file_digest

if TYPE_CHECKING:
    import pandas as pd


def record_frame(folder: str | Path | None = None) -> pd.DataFrame:
    """Returns one row for each finished cell: the columns of `tlbench leaderboard -f csv`, best first in each task.

    Cells that the paired tests of their stored predictions cannot tell apart share a rank. A record that cannot be read
    is left out with a warning.

    Args:
        folder: The folder of results; None for the default one.

    Raises:
        StoreError: The folder has no results.
    """
    store = Store.open(results_folder(folder))
    return frame_of(store, readable_records(store), (), Catalog.discover().metrics)


def frame_of(
    store: Store, records: Sequence[Record], expected: Sequence[Cell], metrics: Mapping[str, Metric]
) -> pd.DataFrame:
    """Returns the leaderboard of records of a store, ranked by their stored predictions.

    Args:
        store: The folder of results.
        records: The records.
        expected: The cells of a plan; those without a record get a row too, and tasks are in their order.
        metrics: Metrics by name.
    """

    def predictions(record: Record) -> pd.DataFrame | None:
        path = store.predictions(record)
        if path is None:
            return None
        if record.predictions_digest and file_digest(path) != record.predictions_digest:
            warnings.warn(f"{path}: {DamagedFileError()}; its cell is ranked by its interval", stacklevel=2)
            return None
        with parquet_file(path) as file:
            stored: pd.DataFrame = file.table(file.schema.names).to_pandas()
        return stored

    return frame(records, expected, predictions, metrics)


def readable_records(store: Store) -> list[Record]:
    """Returns the newest record of each cell, and warns of those that cannot be read."""
    return list(store.records(_warn))


def _warn(file: Unreadable) -> None:
    warnings.warn(file.message, stacklevel=2)
