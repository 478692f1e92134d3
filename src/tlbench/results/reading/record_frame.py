"""The records of a results folder as a data frame."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.record import Record
from tlbench.results.leaderboard import frame
from tlbench.results.reading.default_folder import default_folder
from tlbench.results.records.record_files import Unreadable
from tlbench.results.records.store import Store

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
    store = Store.open(Path(folder or default_folder()).expanduser())

    def predictions(record: Record) -> pd.DataFrame | None:
        import pandas as pd

        path = store.predictions(record)
        return None if path is None else pd.read_parquet(path)

    records = list(store.records(_warn))
    return frame(records, predictions=predictions, metrics=Catalog.discover().metrics)


def _warn(file: Unreadable) -> None:
    warnings.warn(file.message, stacklevel=2)
