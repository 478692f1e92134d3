"""Fields of objects as columns: `translation.en` for the rows of hub data sets such as {"translation": {"en": ...}}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tlbench_data.name_lists import joined_names
from tlbench_data.readers.rows import Row


def with_nested(rows: Mapping[str, Sequence[Row]], options: Iterable[str]) -> Mapping[str, Sequence[Row]]:
    """Returns the rows with a column for each field of an object that an option names, in place of the object.

    Args:
        rows: The rows of each split, the training rows first.
        options: Names of columns, or lists of them, such as "translation.en" and "title+meta.author".
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
    """Returns the names that options may give: of columns, and of the fields of objects."""
    names = []
    for name, value in row.values.items():
        names += [f"{name}.{field}" for field in value] if isinstance(value, dict) and value else [name]
    return names


def _flattened(row: Row, paths: Mapping[str, Sequence[str]], objects: set[str]) -> Row:
    values = {name: value for name, value in row.values.items() if name not in objects}
    return replace(row, values={**values, **{name: _inner(row.values, path) for name, path in paths.items()}})


def _inner(value: Any, path: Sequence[str]) -> Any:
    """Returns the value at the end of a path, or None, as in an empty cell, where a row has no such field."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
