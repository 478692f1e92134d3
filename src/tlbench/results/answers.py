"""Stored test predictions, put in an order in which two cells' answers can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tlbench.results.stats import Answers

_COLUMNS = ("seed", "id", "target", "value")


def read_answers(path: Path) -> Answers | None:
    """Returns the predictions in a Parquet file in order of seed and id, or None where it is not one of predictions.

    Raises:
        OSError, ValueError: The file cannot be read.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table = file.read(columns=list(_COLUMNS), use_threads=False)
    return answers_of({name: table[name].to_numpy() for name in _COLUMNS if name in table.column_names})


def answers_of(columns: Mapping[str, Any]) -> Answers | None:
    """Returns what stands in columns (N,) of these names, or None where one lacks or they are not of predictions."""
    import numpy as np

    from tlbench.results.stats import Answers

    try:
        seeds, ids = np.asarray(columns["seed"]), list(columns["id"])
        parts: dict[int, list[int]] = {}
        for seed in sorted({int(seed) for seed in seeds}):
            rows = np.flatnonzero(seeds == seed).tolist()
            # By id, so that two cells' answers stand in the same order.
            parts[seed] = sorted(rows, key=ids.__getitem__)
        names = [[str(ids[row]) for row in rows] for rows in parts.values()]
        targets = np.asarray(columns["target"])[next(iter(parts.values()))]
        values = np.stack([np.asarray(columns["value"])[rows] for rows in parts.values()])
        if any(other != names[0] for other in names) or not np.isfinite(values).all() or not np.isfinite(targets).all():
            return None
        return Answers(tuple(names[0]), targets, values, tuple(parts))
    except (KeyError, StopIteration, TypeError, ValueError):
        return None
