"""Finds the group and the time of each row: in the columns that group= and time= name, or its document."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from tlbench import DataError
from tlbench_data.columns.label_values import is_missing, text_of
from tlbench_data.division.time_order import kind_of, time_of
from tlbench_data.readers.rows import Row, shown

_SHOWN = 5


def with_groups(rows: Sequence[Row], group: str, time: str, used: Collection[str]) -> Sequence[Row]:
    """Returns the rows with their group and time set from these columns, which are removed unless they are in `used`.

    Args:
        rows: The rows of one split.
        group: Column of the groups; "" for none.
        time: Column of the times; "" for none.
        used: The columns that are given as texts and labels.

    Raises:
        DataError: A column does not exist, a row has no group, or a value is no time or of another kind than the first.
    """
    if not group and not time:
        return rows
    groups = _read(rows, "group", group, _group, "no value") if group else [""] * len(rows)
    times = _read(rows, "time", time, time_of, "no ISO date, number or year") if time else [None] * len(rows)
    if time and (other := next((at for at, each in enumerate(times) if kind_of(each) != kind_of(times[0])), 0)):
        one, two = (f"{shown(rows[at].value(time))} ({rows[at].unit} {rows[at].number})" for at in (0, other))
        raise DataError(f"{rows[0].path}: time={time}: {one} and {two} cannot be ordered: write all times alike")
    taken = {group, time} - set(used)
    return [
        replace(
            row,
            values={name: value for name, value in row.values.items() if name not in taken},
            group=each,
            time=when,
        )
        for row, each, when in zip(rows, groups, times, strict=True)
    ]


def with_documents(rows: Sequence[Row], split: str, by_document: bool) -> Sequence[Row]:
    """Returns the sentences, each with the name of its document as its group if `by_document`, else without a group.

    Args:
        rows: The sentences of one split of CoNLL files; their groups are the documents that each file marks, whose
            names may repeat between files.
        split: The split's name, part of the groups' names.
        by_document: Whether documents are groups.

    Raises:
        DataError: `by_document` is true, and the files mark no documents.
    """
    if by_document and not any(row.group for row in rows):
        raise DataError(
            f"{rows[0].path}: group=document: no line -DOCSTART- or # newdoc begins a document; leave group= out"
        )
    return [replace(row, group=f"{split} {row.path.name} {row.group}" if by_document else "") for row in rows]


def _read(rows: Sequence[Row], option: str, column: str, read: Callable[[Any], Any], what: str) -> list[Any]:
    values = [read(row.value(column)) for row in rows]
    if wrong := [row for row, value in zip(rows, values, strict=True) if value is None]:
        numbers = ", ".join(f"{row.unit} {row.number}: {shown(row.value(column))}" for row in wrong[:_SHOWN])
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        count = f"{len(wrong)} of {len(rows)} rows have {what}"
        raise DataError(f"{rows[0].path}: {option}={column}: {count} ({numbers}{more})")
    return values


def _group(value: Any) -> str | None:
    # Normalised like classes: 7 and 7.0 are one patient.
    return None if is_missing(value) or isinstance(value, list | tuple | dict) else _whole(text_of(value))


def _whole(text: str) -> str:
    whole, point, zeros = text.partition(".")
    return whole if point and whole.lstrip("-").isdigit() and not zeros.strip("0") else text
