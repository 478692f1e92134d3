"""Reads the rows of JSON files in several layouts: lines, a list, a list in an object, columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from tlbench import DataError
from tlbench_data.readers.row_tables import json_lines, parsed_json
from tlbench_data.readers.rows import Row, listed, shown
from tlbench_data.readers.text_lines import decoded

_Found: TypeAlias = "tuple[list[dict[str, Any]], str]"


def json_table(path: Path, encoding: str = "utf-8", field: str = "") -> tuple[list[Row], str]:
    """Returns the rows of a JSON file, and a note on where they were found in an object, or "".

    Every row has all fields that occur in the file; those that it lacks are None.

    Args:
        path: The file: an object on each line; a list of objects; or one object that has the rows as a list in one of
            its fields, or as columns, which are lists of equal length (or objects with equal keys, as pandas writes).
        encoding: Encoding of the file.
        field: The field of the object that has the rows, or a path of nested fields such as `data.train`.

    Raises:
        DataError: The file cannot be read, has another layout, or has several lists and no field is given.
    """
    text = decoded(path, encoding)
    start = text.lstrip()[:1]
    # A line of a .jsonl file is a row, even if it is the only one and has lists in it.
    is_lines = start != "[" and (_has_lines(text) or ".jsonl" in path.suffixes)
    if is_lines and not field:
        return _completed(list(json_lines(path, encoding))), ""
    if field and _has_lines(text):
        raise DataError(f"{path}: field= is for one JSON object, and this file has one on each line")
    whole = parsed_json(text, str(path))
    if isinstance(whole, dict):
        items, note = _inner(path, whole, field) if field else _found(path, whole)
        return _rows(path, items), note
    if field:
        raise DataError(f"{path}: field= is for one JSON object, and this is a {type(whole).__name__}")
    if not isinstance(whole, list):
        raise DataError(f"{path}: not a JSON list")
    return _rows(path, whole), ""


def _has_lines(text: str) -> bool:
    """Returns whether the first line is a complete JSON object and more lines follow."""
    first, _, others = text.strip().partition("\n")
    try:
        return bool(others.strip()) and isinstance(parsed_json(first, ""), dict)
    except DataError:
        # The file is one indented object, or damaged; the caller finds out by parsing it as a whole.
        return False


def _rows(path: Path, items: list[Any]) -> list[Row]:
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise DataError(f"{path}, row {number}: {shown(item)} is not a JSON object")
    return _completed([Row(path, number, item, "row") for number, item in enumerate(items, 1)])


def _completed(rows: list[Row]) -> list[Row]:
    """Returns the rows with None for each field that only other rows have."""
    columns = dict.fromkeys(name for row in rows for name in row.values)
    return [
        row if len(row.values) == len(columns) else replace(row, values={**dict.fromkeys(columns), **row.values})
        for row in rows
    ]


def _inner(path: Path, whole: dict[str, Any], field: str) -> _Found:
    value: Any = whole
    # The whole text is tried first, since a field's name may itself contain points.
    for part in [field] if field in whole else field.split("."):
        if not isinstance(value, dict) or part not in value:
            there = listed(value) if isinstance(value, dict) else "no fields"
            raise DataError(f"{path}: field={field}: there is no {part!r}, but {there}")
        value = value[part]
    if isinstance(value, list):
        return value, f"rows from {field!r}"
    if isinstance(value, dict) and (columns := _columns(value)):
        return columns, f"rows from the columns in {field!r}"
    raise DataError(f"{path}: field={field} is {shown(value)}, not a list of objects")


def _found(path: Path, whole: dict[str, Any]) -> _Found:
    lists = [name for name, value in whole.items() if _is_table(value)]
    if len(lists) == 1:
        return whole[lists[0]], f"rows from {lists[0]!r}"
    if lists:
        raise DataError(f"{path}: one JSON object with the lists {listed(lists)}: choose one, as [field={lists[0]}]")
    if columns := _columns(whole):
        return columns, "rows from columns of equal length"
    if not any(isinstance(value, dict | list) for value in whole.values()):
        return [whole], ""
    raise DataError(
        f"{path}: one JSON object with the fields {listed(whole)}, none of which is a list of objects, and which are no"
        " columns of equal length; field=a.b names a list further inside"
    )


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _columns(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Converts an object of columns of equal length to rows; returns [] if it is no such object."""
    values = list(whole.values())
    # A task needs two columns, a text and a label; a single list or object has another meaning.
    if len(values) < 2:
        return []
    if all(isinstance(value, list) for value in values) and len(set(map(len, values))) == 1:
        return [dict(zip(whole, items, strict=True)) for items in zip(*values, strict=True)]
    if all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
        return [{name: column[key] for name, column in whole.items()} for key in values[0]]
    return []
