"""Recognises -1 in place of a label, as in test splits whose labels are not published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tlbench_data.readers import class_names
from tlbench_data.readers.rows import Row


def class_order(file: Path, label: str) -> tuple[str, ...]:
    """Returns the classes of a column in the order of a Parquet file's metadata; empty if there are none in it."""
    return class_names(file).get(label, ()) if file.suffix == ".parquet" else ()


def without_unlabelled(rows: Mapping[str, Sequence[Row]], label: str, order: Sequence[str]) -> dict[str, Sequence[Row]]:
    """Returns the rows with None in place of a label of -1, wherever -1 marks unlabelled rows.

    That is so in all splits if the file's metadata names the classes of indices; otherwise in a split whose labels are
    all -1, if no training row has that label.

    Args:
        rows: The rows of each split, the training rows first.
        label: The label column.
        order: The classes in the file's metadata; empty if there are none.
    """
    first, *_ = rows
    is_in_train = any(_is_mark(row.values.get(label)) for row in rows[first])
    marked: dict[str, Sequence[Row]] = {}
    for split, part in rows.items():
        is_hidden = split != first and not is_in_train and all(_is_mark(row.values.get(label)) for row in part)
        marked[split] = [_unmarked(row, label) for row in part] if order or is_hidden else part
    return marked


def _unmarked(row: Row, label: str) -> Row:
    return replace(row, values={**row.values, label: None}) if _is_mark(row.value(label)) else row


def _is_mark(value: Any) -> bool:
    return value == -1 or (isinstance(value, str) and value.strip() in ("-1", "-1.0"))
