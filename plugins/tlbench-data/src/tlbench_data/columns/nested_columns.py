"""Fields of objects as columns: `translation.en` for the rows of hub data sets such as {"translation": {"en": ...}}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tlbench_data.name_lists import joined_names
from tlbench_data.readers.rows import Row


def with_nested(rows: Mapping[str, Sequence[Row]], options: Iterable[str]) -> Mapping[str, Sequence[Row]]:
    """Returns the rows with columns such as `translation.en`, if options name them, in place of the objects.

    Args:
        rows: The rows of each split, the training rows first.
        options: Values of options that name columns, such as "translation.en" and "title+meta.author".
    """
    first = next(iter(rows.values()))[0]
    given = {name for option in options for name in joined_names(option)}
    paths = {name: name.split(".") for name in given if "." in name and name not in first.values}
    paths = {name: path for name, path in paths.items() if isinstance(first.values.get(path[0]), dict)}
    if not paths:
        return rows
    objects = {path[0] for path in paths.values()}
    return {split: [_flattened(row, paths, objects) for row in split_rows] for split, split_rows in rows.items()}


def column_names(row: Row) -> list[str]:
    """Returns the column names that options may use; a column of objects gives one `column.field` per field."""
    names = []
    for name, value in row.values.items():
        names += [f"{name}.{field}" for field in value] if isinstance(value, dict) and value else [name]
    return names


def _flattened(row: Row, paths: Mapping[str, Sequence[str]], objects: set[str]) -> Row:
    values = {name: value for name, value in row.values.items() if name not in objects}
    return replace(row, values={**values, **{name: _inner(row.values, path) for name, path in paths.items()}})


def _inner(value: Any, path: Sequence[str]) -> Any:
    """Returns the value of a nested field, given the names on the path to it; None if the row lacks the field."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
