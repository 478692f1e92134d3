"""Stored test predictions: how they stand in a file, and in an order in which two cells' answers can be compared.

Classes and numbers are plain columns; labels lists of 0 and 1; tags of words lists of texts; an answer is a text and
its target a list of those that are accepted. A column's type says which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from tlbench.metrics.scored import Scored
    from tlbench.results.stats import CellPredictions

_KEYS = ("seed", "id")
_COLUMNS = (*_KEYS, "target", "value")
_SCORES = "scores"
_Order: TypeAlias = "tuple[dict[int, np.ndarray], tuple[str, ...] | None]"
"""The rows of each seed in the order of their ids, and these ids, or None where two seeds have others."""


def columns_of(seed: int, ids: list[str], scored: Scored) -> dict[str, Any]:
    """Returns the columns of one seed's predictions, for a table of arrow."""
    import numpy as np
    import pyarrow as pa

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
    """Returns the predictions of one seed as metrics read them, in the order of the table.

    Raises:
        ValueError, TypeError: They are no predictions.
    """
    from tlbench.metrics.scored import Scored

    scores = _numpy(table[_SCORES]) if _SCORES in table.column_names else None
    return Scored(_numpy(table["target"]), _numpy(table["value"]), scores, positive)


def read_predictions(path: Path, with_scores: bool = False) -> CellPredictions | None:
    """Returns the predictions in a Parquet file in order of seed and id, or None where it is not one of predictions.

    Probabilities are read `with_scores` alone, which a metric that reads them asks for.

    Raises:
        OSError, ValueError: The file cannot be read.
    """
    import pyarrow.parquet as pq

    wanted = [*_COLUMNS, _SCORES] if with_scores else list(_COLUMNS)
    with pq.ParquetFile(path, pre_buffer=False) as file:
        table = file.read(columns=wanted, use_threads=False)
    try:
        order = _order_in(table)
        columns = {name: _numpy(table[name]) for name in table.column_names if name in wanted and name not in _KEYS}
    except (KeyError, TypeError, ValueError):
        return None
    return _cell_predictions(columns, *order)


def predictions_in(columns: Mapping[str, Any]) -> CellPredictions | None:
    """Returns what stands in columns (N,) of these names, or None where one lacks or they are not of predictions."""
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

    from tlbench.results.stats import CellPredictions

    if names is None:
        return None
    try:
        asked, said = (_array(columns[name]) for name in ("target", "value"))
        targets = asked[next(iter(parts.values()))]
        values = np.stack([said[rows] for rows in parts.values()])
        if (targets.dtype == object) != (values.dtype == object):
            return None
        if targets.dtype != object and not (np.isfinite(values).all() and np.isfinite(targets).all()):
            return None
        given = _array(columns[_SCORES]) if _SCORES in columns else None
        scores = None if given is None else np.stack([given[rows] for rows in parts.values()])
        return CellPredictions(names, targets, values, tuple(parts), scores)
    except (KeyError, StopIteration, TypeError, ValueError):
        return None


_recent: list[tuple[pa.ChunkedArray, pa.ChunkedArray, _Order]] = []
"""Columns of seeds and ids that were read last, and their order: the cells of a task have the same."""


def _order_in(table: pa.Table) -> _Order:
    """Returns the order of the rows of a table, as `_order` does."""
    seeds, ids = table["seed"], table["id"]
    for known_seeds, known_ids, order in _recent:
        if seeds.equals(known_seeds) and ids.equals(known_ids):
            return order
    order = _order(tuple(_numpy(seeds).tolist()), tuple(_numpy(ids)))
    _recent.insert(0, (seeds, ids, order))
    del _recent[4:]
    return order


def _order(seeds: tuple[Any, ...], ids: tuple[Any, ...]) -> _Order:
    """Returns the rows of each seed, and the ids in their order; None in place of these where two seeds have others.

    Args:
        seeds: (N,).
        ids: (N,).
    """
    import numpy as np

    of_rows = np.asarray(seeds)
    parts: dict[int, np.ndarray] = {}
    for seed in sorted({int(seed) for seed in seeds}):
        rows = np.flatnonzero(of_rows == seed).tolist()
        # By id, so that two cells' answers stand in the same order.
        parts[seed] = np.array(sorted(rows, key=ids.__getitem__))
    names = {tuple(str(ids[row]) for row in rows) for rows in parts.values()}
    return parts, names.pop() if len(names) == 1 else None


def _numpy(column: pa.ChunkedArray) -> np.ndarray:
    """Returns a column as `Scored` has it.

    Raises:
        ValueError, TypeError: It holds nothing that could be a prediction.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_list(kind) and not pa.types.is_string(kind.value_type):
        # Far quicker than by lists of Python's numbers.
        rows = column.combine_chunks()
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
        # The other way imports pandas.
        return np.array(np.from_dlpack(column))
    numbers: np.ndarray = column.to_numpy(zero_copy_only=False)
    return numbers


def _array(items: Any) -> np.ndarray:
    """Returns (N,) numbers, (N, K) numbers from lists of them, or (N,) texts or tuples of texts of object dtype."""
    import numpy as np

    from tlbench.metrics.scored import objects

    if isinstance(items, np.ndarray) and items.dtype != object:
        return items
    rows = list(items)
    if all(isinstance(row, str) for row in rows):
        return objects(rows)
    if any(isinstance(part, str) for row in rows for part in row) or not any(len(row) for row in rows):
        return objects([tuple(map(str, row)) for row in rows])
    return np.stack([np.asarray(row) for row in rows])
