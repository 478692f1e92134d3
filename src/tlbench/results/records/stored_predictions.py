"""Test predictions in Parquet files, read in an order in which two cells can be compared example by example.

A file has the columns seed, id, target and value, `scores` (lists of floats) if the predictor gives probabilities, and
`group` if the task has groups. Targets and values are numbers (class indices too), lists of 0 and 1 for multi-label
tasks, lists of strings for tags of words, and, for generated text, a string as the value and a list of accepted strings
as the target. The type of the column tells which of these it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tlbench.contracts.untrusted.parquet_files import parquet_file
from tlbench.system.integrity.sealed_json import DamagedFileError, file_digest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tlbench.metrics.scored import Scored
    from tlbench.results.stats import CellPredictions

_KEYS = ("seed", "id")
_COLUMNS = (*_KEYS, "target", "value")
_SCORES = "scores"
GROUP = "group"
"""Column of the group of each example; only in files of tasks with groups."""
_Order: TypeAlias = "tuple[dict[int, np.ndarray], tuple[str, ...] | None]"
"""The row numbers of each seed, sorted by example id, and the sorted ids, or None if seeds have different ids."""


def columns_of(seed: int, ids: list[str], scored: Scored) -> dict[str, Any]:
    """Returns the columns of a pyarrow table with the predictions of one seed, by name."""
    import numpy as np
    import pyarrow as pa

    # Explicit types, because pyarrow would infer type null for a column of empty lists. None: infer it.
    texts, labels = pa.list_(pa.string()), pa.list_(pa.int64())
    target, value = {
        "numbers": (None, None), "labels": (labels, labels), "tags": (texts, texts), "texts": (texts, pa.string()),
    }[scored.kind]  # fmt: skip
    columns: dict[str, Any] = {
        "seed": [seed] * len(ids),
        "id": ids,
        "target": pa.array(scored.targets.tolist(), target),
        "value": pa.array(scored.values.tolist(), value),
    }
    if scored.scores is not None:
        columns[_SCORES] = scored.scores.astype(np.float32).tolist()
    return columns


def scored_in(table: pa.Table, positive: int = 1) -> Scored:
    """Returns the predictions of one seed as input for metrics, in the order of the table.

    Raises:
        ValueError, TypeError: The columns do not hold predictions.
    """
    from tlbench.metrics.scored import Scored

    scores = _numpy(table[_SCORES]) if _SCORES in table.column_names else None
    return Scored(_numpy(table["target"]), _numpy(table["value"]), scores, positive)


def read_predictions(path: Path, with_scores: bool = False, digest: str = "") -> CellPredictions | None:
    """Returns the predictions in a Parquet file, sorted by seed and id; None if there are no predictions in it.

    Probabilities, (N, K) floats for each seed, are read only if `with_scores` is set, for metrics that need them. With
    a digest, a file that has changed since it was written is refused.

    Raises:
        OSError, ValueError: The file cannot be read.
    """
    import pyarrow as pa

    names = [*_COLUMNS, _SCORES] if with_scores else list(_COLUMNS)
    if digest and file_digest(path) != digest:
        raise DamagedFileError
    with parquet_file(path) as file:
        names += [GROUP] if GROUP in file.schema.names else []
        table = file.table(names)
    try:
        order = _order_in(table)
        columns = {name: _numpy(table[name]) for name in table.column_names if name in names and name not in _KEYS}
    except (KeyError, TypeError, ValueError, pa.ArrowException):
        return None
    return _cell_predictions(columns, *order)


def predictions_in(columns: Mapping[str, Any]) -> CellPredictions | None:
    """Returns predictions from columns (N,) by name, sorted by seed and id; None if these are not predictions."""
    import numpy as np

    try:
        ids = tuple(columns["id"])
        order = _order(tuple(np.asarray(columns["seed"]).tolist()), ids)
    except (KeyError, TypeError, ValueError):
        return None
    return _cell_predictions(columns, *order)


def _cell_predictions(
    columns: Mapping[str, Any], parts: dict[int, np.ndarray], names: tuple[str, ...] | None
) -> CellPredictions | None:
    import numpy as np

    from tlbench.metrics.groups import group_numbers
    from tlbench.results.stats import CellPredictions

    # Seeds that predicted different examples cannot be averaged, nor compared with another cell.
    if names is None:
        return None
    try:
        all_targets, all_values = (_array(columns[name]) for name in ("target", "value"))
        targets = all_targets[next(iter(parts.values()))]
        values = np.stack([all_values[rows] for rows in parts.values()])
        # A file from someone else may have numbers as targets and texts as values; metrics would not notice.
        if (targets.dtype == object) != (values.dtype == object):
            return None
        if targets.dtype != object and not (np.isfinite(values).all() and np.isfinite(targets).all()):
            return None
        all_scores = _array(columns[_SCORES]) if _SCORES in columns else None
        scores = None if all_scores is None else np.stack([all_scores[rows] for rows in parts.values()])
        first = next(iter(parts.values()))
        groups = group_numbers([str(columns[GROUP][row] or "") for row in first]) if GROUP in columns else None
        return CellPredictions(names, targets, values, tuple(parts), scores, groups=groups)
    except (KeyError, StopIteration, TypeError, ValueError):
        return None


_recent: list[tuple[pa.ChunkedArray, pa.ChunkedArray, _Order]] = []
"""Recent columns of seeds and ids with their order: a cache, as all cells of a task have equal columns."""


def _order_in(table: pa.Table) -> _Order:
    """Returns the order of a table's rows, from the cache of recent orders if possible."""
    seeds, ids = table["seed"], table["id"]
    for known_seeds, known_ids, order in _recent:
        if seeds.equals(known_seeds) and ids.equals(known_ids):
            return order
    order = _order(tuple(_numpy(seeds).tolist()), tuple(_numpy(ids)))
    _recent.insert(0, (seeds, ids, order))
    del _recent[4:]
    return order


def _order(seeds: tuple[Any, ...], ids: tuple[Any, ...]) -> _Order:
    """Returns the row numbers of each seed, sorted by id, and the sorted ids.

    Args:
        seeds: (N,) the seed of each row.
        ids: (N,) the example id of each row.
    """
    import numpy as np

    of_rows = np.asarray(seeds)
    parts: dict[int, np.ndarray] = {}
    for seed in sorted({int(seed) for seed in seeds}):
        rows = np.flatnonzero(of_rows == seed).tolist()
        # By id, so that row i is the same example in every seed and cell, in whatever order it was predicted.
        parts[seed] = np.array(sorted(rows, key=ids.__getitem__))
    names = {tuple(str(ids[row]) for row in rows) for rows in parts.values()}
    return parts, names.pop() if len(names) == 1 else None


def _numpy(column: pa.ChunkedArray) -> np.ndarray:
    """Returns a column as an array in the form that `Scored` takes.

    Raises:
        ValueError, TypeError: The column cannot hold predictions.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_list(kind) and not pa.types.is_string(kind.value_type):
        # Far faster than going through Python lists.
        rows = column.combine_chunks()
        if len(rows.value_lengths().unique()) > 1:
            # The total number of items may still be divisible by the number of rows; `reshape` would then mix up rows.
            raise ValueError("lists of different lengths")
        return _numbers(rows.flatten()).reshape(len(rows), -1)
    if pa.types.is_string(kind) and not column.null_count:
        from tlbench.metrics.scored import objects

        return objects(column.to_pylist())
    if pa.types.is_list(kind) or pa.types.is_string(kind):
        return _array(column.to_pylist())
    return _numbers(column.combine_chunks())


def _numbers(column: pa.Array) -> np.ndarray:
    import numpy as np
    import pyarrow as pa

    if not column.null_count and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        # `to_numpy` would import pandas, which takes longer than reading the file. Copied, as the buffer is read-only.
        return np.array(np.from_dlpack(column))
    numbers: np.ndarray = column.to_numpy(zero_copy_only=False)
    return numbers


def _array(items: Any) -> np.ndarray:
    """Returns (N,) or (N, K) numbers, or (N,) strings or tuples of strings with object dtype."""
    import numpy as np

    from tlbench.metrics.scored import objects

    if isinstance(items, np.ndarray) and items.dtype != object:
        return items
    rows = list(items)
    if all(isinstance(row, str) for row in rows):
        return objects(rows)
    # Lists that are all empty can only be tags or accepted answers, so they become tuples of strings too.
    if any(isinstance(part, str) for row in rows for part in row) or not any(len(row) for row in rows):
        return objects([tuple(map(str, row)) for row in rows])
    return np.stack([np.asarray(row) for row in rows])
