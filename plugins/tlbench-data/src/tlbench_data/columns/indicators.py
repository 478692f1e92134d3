"""Reads labels that are written as zeros and ones: a list with a position for each label, or a column for each."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tlbench import DataError
from tlbench_data.columns.column_choice import unlabelled_columns
from tlbench_data.columns.label_values import is_missing
from tlbench_data.name_lists import joined_names
from tlbench_data.readers.rows import Row, listed, shown

_BITS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "False": 0, "True": 1, "false": 0, "true": 1}


@dataclass(frozen=True)
class Indicators:
    """Rows whose zeros and ones are replaced by label names, and these names; no names if nothing was replaced."""

    rows: Mapping[str, Sequence[Row]]
    names: tuple[str, ...] = ()
    note: str = ""


def one_hot_columns(rows: Sequence[Row], texts: tuple[str, str], label: str) -> tuple[str, ...]:
    """Returns the columns of a one-hot table, one with 0 and 1 per label; empty if the label is one column.

    If `label` is `a+b+c`, these are the columns a, b and c. If it is empty, they are all columns of zeros and ones,
    if there are at least two and no column has a usual name of a label column, such as "label".
    """
    if label:
        parts = joined_names(label)
        is_several = label not in rows[0].values and len(parts) > 1 and all(part in rows[0].values for part in parts)
        return parts if is_several else ()
    columns = [
        column
        for column in unlabelled_columns(rows[0], *texts)
        if all(_bit(row.values.get(column)) is not None for row in rows)
    ]
    return tuple(columns) if len(columns) > 1 else ()


def from_columns(rows: Mapping[str, Sequence[Row]], columns: Sequence[str], kind: str) -> Indicators:
    """Returns the rows with one label column, called `a+b+c`, in place of the columns a, b and c.

    Raises:
        DataError: A value is not 0 or 1, or each row has exactly one label and no kind is given.
    """
    label = "+".join(columns)
    vectors = {split: [_in_one_column(row, label, columns) for row in split_rows] for split, split_rows in rows.items()}
    named = _named(vectors, label, tuple(columns), kind)
    return replace(named, note=f"a label for each of the columns {listed(columns)}")


def from_lists(rows: Mapping[str, Sequence[Row]], label: str, kind: str, names: tuple[str, ...]) -> Indicators:
    """Returns the rows with label names in place of lists of 0 and 1; unchanged if the label column has no such lists.

    Args:
        rows: The rows of each split; the first decides whether labels are lists of 0 and 1, all equally long.
        label: The label column.
        kind: The value of the option `kind`, or "".
        names: One label name per list position; if empty, they are called `labels_0`, ... after the column.

    Raises:
        DataError: Lists of zeros and ones have different lengths, the number of names differs, or each row has
            exactly one label and no kind is given.
    """
    first = next(iter(rows.values()))
    lists = [value for row in first if not is_missing(value := row.value(label))]
    length = len(lists[0]) if lists and isinstance(lists[0], list | tuple) else 0
    is_vectors = length > 1 and all(
        isinstance(value, list | tuple) and len(value) == length and all(_bit(item) is not None for item in value)
        for value in lists
    )
    if not is_vectors:
        _refuse_uneven(first, label)
        if names:
            raise DataError(f"{first[0].path}: names= is for lists of 0 and 1, which {label} does not hold")
        return Indicators(rows)
    if names and len(names) != length:
        raise DataError(f"{first[0].path}: names= has {len(names)} names for the {length} places of {label}")
    vectors = {split: [_vector(row, label, length) for row in split_rows] for split, split_rows in rows.items()}
    named = _named(vectors, label, names or tuple(f"{label}_{place}" for place in range(length)), kind)
    return replace(named, note=f"lists of 0 and 1 with a place for each of {length} labels")


def _refuse_uneven(rows: Sequence[Row], label: str) -> None:
    """Refuses lists of zeros and ones of different lengths, since their positions cannot be matched to labels.

    Raises:
        DataError: All labels are lists of 0 and 1 whose lengths differ, and one repeats a value, so that 0 and 1 are no
            label names.
    """
    labelled = [row for row in rows if not is_missing(row.value(label))]
    lists = [row.value(label) for row in labelled]
    if not lists or not all(isinstance(value, list | tuple) for value in lists):
        return
    bits = [[_bit(item) for item in value] for value in lists]
    if any(None in some for some in bits) or all(len(set(some)) == len(some) for some in bits):
        return
    other = next((at for at, some in enumerate(bits) if len(some) != len(bits[0])), None)
    if other is not None:
        raise labelled[other].error(
            f"{label} is {shown(lists[other])}, but {shown(lists[0])} in {labelled[0].unit} {labelled[0].number}: "
            "lists of zeros and ones need a place for each label"
        )


def parsed_lists(rows: Mapping[str, Sequence[Row]], label: str, kind: str) -> Mapping[str, Sequence[Row]]:
    """Returns the rows with lists in place of texts such as "[0, 1]" and "['a', 'b']", if all labels look like that.

    Raises:
        DataError: A text in brackets cannot be read as a list.
    """
    first = next(iter(rows.values()))
    texts = [value for row in first if not is_missing(value := row.value(label))]
    if kind not in ("", "multilabel") or not texts or not all(map(_is_bracketed, texts)):
        return rows
    return {
        split: [row if is_missing(row.value(label)) else _with(row, label, _parsed(row, label)) for row in split_rows]
        for split, split_rows in rows.items()
    }


def _named(rows: Mapping[str, Sequence[Row]], label: str, names: tuple[str, ...], kind: str) -> Indicators:
    """Returns the rows with the names of labels in place of vectors of 0 and 1."""
    first = next(iter(rows.values()))
    vectors = [row.value(label) for row in first if not is_missing(row.value(label))]
    is_exclusive = all(sum(vector) == 1 for vector in vectors)
    if is_exclusive and not kind:
        raise DataError(
            f"{first[0].path}: each row has exactly one of the labels {listed(names)}: "
            "set kind=classes for one class a row, or kind=multilabel"
        )
    if len(set(names)) < len(names):
        raise DataError(f"{first[0].path}: a name is given twice: {listed(names)}")
    named: dict[str, list[Row]] = {}
    for split, split_rows in rows.items():
        named[split] = []
        for row in split_rows:
            vector = row.value(label)
            if is_missing(vector):
                named[split].append(row)
                continue
            present = [name for name, bit in zip(names, vector, strict=True) if bit]
            if kind == "classes" and len(present) != 1:
                raise row.error(f"{len(present)} of the labels {listed(names)} are 1, where kind=classes has one")
            named[split].append(_with(row, label, present[0] if kind == "classes" else present))
    return Indicators(named, names)


def _in_one_column(row: Row, label: str, columns: Sequence[str]) -> Row:
    others = {column: value for column, value in row.values.items() if column not in columns}
    return replace(row, values={**others, label: tuple(_checked_bit(row, column) for column in columns)})


def _vector(row: Row, label: str, length: int) -> Row:
    value = row.value(label)
    if is_missing(value):
        return row
    bits = [_bit(item) for item in value] if isinstance(value, list | tuple) else []
    if len(bits) != length or None in bits:
        raise row.error(f"{label} is {shown(value)}, not a list of {length} zeros and ones")
    return _with(row, label, tuple(bits))


def _checked_bit(row: Row, column: str) -> int:
    bit = _bit(value := row.value(column))
    if bit is None:
        raise row.error(f"{column} is {shown(value)}, not 0 or 1")
    return bit


def _bit(value: Any) -> int | None:
    return _BITS.get(str(value).strip()) if isinstance(value, str | int | float) else None


def _with(row: Row, column: str, value: Any) -> Row:
    return replace(row, values={**row.values, column: value})


def _is_bracketed(value: Any) -> bool:
    return isinstance(value, str) and value.strip()[:1] == "[" and value.strip()[-1:] == "]"


def _parsed(row: Row, label: str) -> list[Any]:
    value = row.value(label)
    for parse in (json.loads, ast.literal_eval):
        try:
            items = parse(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError, AttributeError):
            continue
        if isinstance(items, list):
            return items
    raise row.error(f"{label} is {shown(value)}, which looks like a list but is none; kind=classes takes it as it is")
