"""Counts the rows without a text or a label, and refuses them or leaves them out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tlbench import DataError
from tlbench_data.columns.column_choice import ChosenColumns
from tlbench_data.columns.label_values import is_missing
from tlbench_data.readers.rows import Row, unpaired_surrogate

_NUL = "\0"
_SHOWN = 5


def usable(
    rows: Mapping[str, Sequence[Row]],
    chosen: ChosenColumns,
    *,
    may_be_unlabelled: bool,
    drop: bool,
    other_test: str = "",
) -> tuple[dict[str, list[Row]], list[str]]:
    """Returns the rows of each split that have a text and a label, and a note, as a list, on how many were left out.

    Args:
        rows: The rows of each split, or under `all` if the files are not split.
        chosen: The columns of the texts and the label.
        may_be_unlabelled: Whether an empty label cell means an empty set of labels, as in multi-label tasks.
        drop: Whether incomplete rows are left out instead of refused.
        other_test: For the message, the value of `test=` that makes the validation split the test split, or "".

    Raises:
        DataError: A row is incomplete and `drop` is false, no row of a split is complete, or a row has a NUL character.
    """
    kept: dict[str, list[Row]] = {}
    left_out: dict[str, int] = {}
    refused = []
    for split, split_rows in rows.items():
        kept[split] = []
        by_reason: dict[str, list[Row]] = {}
        for row in split_rows:
            if reason := _reason(row, chosen, may_be_unlabelled):
                by_reason.setdefault(reason, []).append(row)
            else:
                kept[split].append(row)
        for reason, some in by_reason.items():
            left_out[reason] = left_out.get(reason, 0) + len(some)
        if by_reason:
            refused.append(_summary(split_rows, by_reason))
        if not kept[split] and split_rows:
            is_test = split == "test" and other_test
            instead = f"; [test={other_test}] tests on the validation split" if is_test else ""
            raise DataError(f"{_summary(split_rows, by_reason)}: no row is left{instead}")
    if refused and not drop:
        advice = "drop_missing=true leaves such rows out: write it in the brackets after the task's name"
        raise DataError(f"{'; '.join(refused)}; {advice}")
    counts = " and ".join(f"{_rows(count)} {reason}" for reason, count in left_out.items())
    return kept, [f"left out: {counts}"] if counts else []


def check_characters(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Refuses NUL characters, which indicate a damaged file or a wrong encoding.

    Raises:
        DataError: A text or label has one; the message counts the rows.
    """
    found = [row for row in rows if any(_has_nul(row.values.get(column)) for column in columns)]
    if found:
        raise DataError(
            f"{found[0].path}: {_rows(len(found))} with a NUL character ({_places(found)}): the file is damaged, or"
            " in another encoding, which encoding= sets"
        )


def _reason(row: Row, chosen: ChosenColumns, may_be_unlabelled: bool) -> str:
    if any(is_empty_text(row.value(text)) for text in chosen.texts):
        return "with an empty text"
    label = row.value(chosen.label)
    if chosen.target == "target text":
        return "with an empty target text" if is_empty_text(label) else ""
    if not is_missing(label) or (may_be_unlabelled and isinstance(label, str) and not label.strip()):
        return ""
    return "without a label"


def is_empty_text(value: Any) -> bool:
    """Returns whether a cell has no text: nothing, NaN, spaces, or an empty list of words."""
    if isinstance(value, list | tuple):
        return not value
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _has_nul(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_nul, value))
    return isinstance(value, str) and _NUL in value and not unpaired_surrogate(value)


def _summary(rows: Sequence[Row], by_reason: Mapping[str, Sequence[Row]]) -> str:
    counts = ", ".join(f"{len(some)} {reason} ({_places(some)})" for reason, some in by_reason.items())
    number = sum(map(len, by_reason.values()))
    first = next(iter(by_reason.values()))[0]
    return f"{first.path}: {number} of {len(rows)} rows cannot be used: {counts}"


def _places(rows: Sequence[Row]) -> str:
    numbers = ", ".join(str(row.number) for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"{rows[0].unit} {numbers}{more}"


def _rows(number: int) -> str:
    return f"{number} row" if number == 1 else f"{number} rows"
