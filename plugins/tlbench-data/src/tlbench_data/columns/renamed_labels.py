"""Renames and merges labels by the option `map=old:new+old2:new2`, before the kind of output is inferred."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tlbench import DataError
from tlbench_data.columns.label_values import class_key, is_missing, text_of
from tlbench_data.columns.output_kinds import TargetColumn
from tlbench_data.readers.rows import Row, listed, shown


@dataclass(frozen=True)
class LabelMap:
    """Maps old labels to new names; other labels keep their names, converted to text."""

    pairs: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def name(self, old: str) -> str:
        """Returns the new name of a label, or the old one."""
        return self._new.get(class_key(old), old)

    def names(self, names: Iterable[str]) -> tuple[str, ...]:
        """Returns the new names in the order of the old ones, without duplicates."""
        new = self._new
        return tuple(dict.fromkeys(new.get(class_key(name), name) for name in names))

    def rows(self, rows: Mapping[str, Sequence[Row]], label: str, separator: str = "") -> Mapping[str, Sequence[Row]]:
        """Returns the rows with their new labels.

        Args:
            rows: The rows of each split.
            label: The label column; lists are mapped item by item.
            separator: Separates the labels of one cell; cells are then replaced by lists.

        Raises:
            DataError: An old label occurs in no row; the message lists the labels that occur.
        """
        if not self.pairs:
            return rows
        lists = {
            split: [_split(row, label, separator) if separator else row for row in split_rows]
            for split, split_rows in rows.items()
        }
        there = {item for split_rows in lists.values() for row in split_rows for item in _items(row.values.get(label))}
        self.check(there, str(next(iter(rows.values()))[0].path))
        new = self._new
        return {
            split: [
                replace(row, values={**row.values, label: _mapped(row.values.get(label), new)}) for row in split_rows
            ]
            for split, split_rows in lists.items()
        }

    def check(self, there: Iterable[str], where: str) -> None:
        """Refuses old labels that are not among `there`, the labels of the data.

        Raises:
            DataError: There is such an old label; the message begins with `where`.
        """
        names = sorted(set(there))
        known = {class_key(name) for name in names}
        if unknown := [old for old, _ in self.pairs if class_key(old) not in known]:
            raise DataError(f"{where}: map= renames {listed(list(map(shown, unknown)))}, but there is {listed(names)}")

    @cached_property
    def _new(self) -> dict[str, str]:
        return {class_key(old): name for old, name in self.pairs}


def cell_separator(rows: Sequence[Row], column: TargetColumn) -> str:
    """Returns the separator of several labels in one cell, judged by the training rows; "" if a cell has one label."""
    is_separated = column.kind == "multilabel" or (
        not column.kind
        and column.separator
        and any(column.separator in str(row.values.get(column.name)) for row in rows)
    )
    return (column.separator or ";") if is_separated else ""


def _split(row: Row, label: str, separator: str) -> Row:
    value = row.values.get(label)
    if not isinstance(value, str) or is_missing(value):
        return row
    return replace(row, values={**row.values, label: [part.strip() for part in value.split(separator)]})


def _items(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [item for each in value for item in _items(each)]
    # Objects and bytes, which cannot be labels, are refused later, with the line in the message.
    return [] if is_missing(value) or isinstance(value, dict | bytes) else [text_of(value)]


def _mapped(value: Any, new: Mapping[str, str]) -> Any:
    if isinstance(value, list | tuple):
        return [_mapped(item, new) for item in value]
    if is_missing(value) or isinstance(value, dict | bytes):
        return value
    return new.get(class_key(text := text_of(value)), text)
