"""Joins several text columns into one, for options such as `text=title+body`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tlbench import DataError
from tlbench.catalog.names import similar
from tlbench_data.columns.column_choice import plain_column
from tlbench_data.columns.left_out import is_empty_text
from tlbench_data.name_lists import escaped, joined_names
from tlbench_data.readers.rows import Row, listed

SEPARATOR = "\n"


def joined_columns(
    rows: Mapping[str, Sequence[Row]], texts: tuple[str, str]
) -> tuple[Mapping[str, Sequence[Row]], tuple[str, str], list[str]]:
    r"""Returns the rows with joined columns replaced by one, the names of both text columns, and a note on each join.

    A line end separates the texts, in the order given; an empty cell is left out. `a\+b` names the one column a+b.

    Raises:
        DataError: A column does not exist or is named twice, or `a+b` may mean the column a+b or the columns a and b.
    """
    first = next(iter(rows.values()))[0]
    notes: list[str] = []
    names = [plain_column(first, text) for text in texts]
    taken: set[str] = set()
    for place, text in enumerate(texts):
        parts = joined_names(text)
        if len(parts) < 2:
            continue
        if text in first.values:
            if all(part in first.values for part in parts):
                raise DataError(
                    f"{first.path}: {text} is a column, and {' and '.join(parts)} are columns too: {escaped(text)} is "
                    "the one column; rename it to join the others"
                )
            continue
        if len(set(parts)) < len(parts):
            raise DataError(f"{first.path}: text={text} names one column twice")
        if missing := [part for part in parts if part not in first.values]:
            hint = f"{listed(first.values)}{similar(missing[0], first.values)}"
            raise DataError(f"{first.path}: no column {missing[0]!r}; the columns are {hint}")
        names[place] = "+".join(parts)
        rows = {split: [_joined(row, names[place], parts) for row in split_rows] for split, split_rows in rows.items()}
        taken |= set(parts)
        notes.append(f"{names[place]}: {' and '.join(parts)} joined by a line end")
    # The parts are removed: one that remained could be taken for the label, as the only column left over.
    taken -= set(names)
    if taken:
        rows = {split: [_without(row, taken) for row in split_rows] for split, split_rows in rows.items()}
    return rows, (names[0], names[1]), notes


def parts_of(chosen: Sequence[str], given: Sequence[str], there: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Returns the columns of the file that each chosen text is made of: several if they were joined.

    Args:
        chosen: The names of the text columns, after joining.
        given: The values of the options `text=` and `text2=`.
        there: A row of the file, before joining.
    """
    joined = {"+".join(parts): parts for text in given if text not in there and len(parts := joined_names(text)) > 1}
    return tuple(joined.get(name, (name,)) for name in chosen)


def _joined(row: Row, name: str, columns: Sequence[str]) -> Row:
    values = [row.value(column) for column in columns]
    texts = [row.text(column) for column, value in zip(columns, values, strict=True) if not is_empty_text(value)]
    return replace(row, values={**row.values, name: SEPARATOR.join(texts)})


def _without(row: Row, columns: set[str]) -> Row:
    return replace(row, values={name: value for name, value in row.values.items() if name not in columns})
