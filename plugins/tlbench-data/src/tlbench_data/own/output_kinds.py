"""Infers the kind of output from a label column, and reads the targets in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tlbench import Classes, DataError, MultiLabel, Output, Scalar, Text, TokenClasses
from tlbench_data.own.tagged_words import NO_TAG_OPTIONS, TagOptions
from tlbench_data.readers.rows import Row, shown

KINDS = ("classes", "multilabel", "scalar", "text", "tokens")
FEW_NUMBERS = 20
"""Most distinct whole numbers that are taken for classes; more are a quantity."""
# More distinct labels than this are hardly classes; a column with more than this share of numbers is hardly text.
_MOST_NAMES = 1000
_MOSTLY = 0.9

METRICS: dict[type, tuple[str, ...]] = {
    Classes: ("accuracy", "f1_macro", "matthews"),
    MultiLabel: ("f1_micro", "f1_macro", "accuracy"),
    Scalar: ("pearson", "spearman"),
    Text: ("rougeL", "chrf", "bleu"),
}
OF_ONE_CLASS = ("f1", "precision", "recall")
"""Metrics of one positive class, which must be named if there are more than two classes."""


@dataclass(frozen=True)
class TargetColumn:
    """The label column, and how it is read."""

    name: str
    kind: str = ""
    separator: str = ";"
    """Separates the labels in one cell of a multi-label column."""
    max_length: int = 64
    tags: TagOptions = NO_TAG_OPTIONS


def infer(rows: Sequence[Row], column: TargetColumn) -> str:
    """Returns the kind of output that the values suggest where the inputs are texts.

    Raises:
        DataError: A value is empty, or the values could be classes or texts.
    """
    values = [_non_empty(row, column.name) for row in rows]
    if isinstance(values[0], list | tuple):
        return "multilabel"
    words = [_as_text(value) for value in values]
    numbers = [number for word in words if (number := _number(word)) is not None]
    distinct = len(set(words))
    if len(numbers) < len(words):
        if len(numbers) > _MOSTLY * len(words) and distinct > FEW_NUMBERS:
            # Numbers with a few stray words: later, the stray words raise an error with their line.
            return "scalar"
        if distinct > _MOST_NAMES or distinct > max(FEW_NUMBERS, len(words) / 2):
            raise DataError(
                f"{rows[0].path}: {column.name} has {distinct} different values in {len(words)} rows: "
                "set kind=classes or kind=text"
            )
        return "classes"
    # Ratings and class codes are few whole numbers; any fraction, or many values, is a quantity.
    whole = all(number == int(number) for number in numbers)
    return "classes" if whole and distinct <= FEW_NUMBERS else "scalar"


def output_of(rows: Sequence[Row], column: TargetColumn) -> Output:
    """Returns the output kind of the training rows, with the label names in them.

    Raises:
        DataError: A value does not fit the kind.
    """
    if column.kind == "scalar":
        return Scalar()
    if column.kind == "text":
        return Text(column.max_length)
    if column.kind == "multilabel":
        # Names of the training rows only: a label that only the test split has could not be learnt.
        return MultiLabel(_sorted_names({name for row in rows for name in _labels(row, column)}))
    return Classes(_sorted_names({_as_text(_non_empty(row, column.name)) for row in rows}))


def target_of(output: Output, column: TargetColumn) -> Callable[[Row], Any]:
    """Returns a function from a row to its target; it raises a DataError for a value that does not fit."""
    if isinstance(output, Scalar):
        return lambda row: row.real(column.name)
    if isinstance(output, Text):
        return lambda row: _references(row, column.name)
    assert isinstance(output, Classes | MultiLabel | TokenClasses)
    index_of = {name: index for index, name in enumerate(output.names)}
    if isinstance(output, MultiLabel):

        def label_vector(row: Row) -> tuple[int, ...]:
            present = {_index(row, name, index_of, column.name) for name in _labels(row, column)}
            return tuple(int(index in present) for index in range(len(index_of)))

        return label_vector
    if isinstance(output, TokenClasses):
        return lambda row: tuple(_index(row, tag, index_of, column.name) for tag in row.texts(column.name))
    return lambda row: _index(row, _as_text(_non_empty(row, column.name)), index_of, column.name)


def metrics_of(output: Output) -> tuple[str, ...]:
    """Returns the metrics of an output, the primary one first."""
    return METRICS[type(output)]


def _non_empty(row: Row, column: str) -> Any:
    value = row.value(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise row.error(f"{column} is empty")
    return row.checked(column, value) if isinstance(value, str) else value


def _labels(row: Row, column: TargetColumn) -> list[str]:
    value = row.value(column.name)
    if isinstance(value, str):
        value = value.split(column.separator)
    if value is None or not isinstance(value, list | tuple):
        raise row.error(f"{column.name} is {shown(value)}, not a list of labels")
    return [row.checked(column.name, word) for item in value if (word := _as_text(item))]


def _references(row: Row, column: str) -> tuple[str, ...]:
    value = _non_empty(row, column)
    texts = row.texts(column) if isinstance(value, list | tuple) else (row.text(column),)
    if not texts or not all(text.strip() for text in texts):
        raise row.error(f"{column} holds an empty text")
    return texts


def _index(row: Row, name: str, index_of: Mapping[str, int], column: str) -> int:
    if name not in index_of:
        raise row.error(f"{column} is {shown(name)}, which no training row has")
    return index_of[name]


def _as_text(value: Any) -> str:
    # As JSON and CSV write them, so that one data set gives the same names in either format.
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    all_names = list(names)
    # Numbers in numeric order: "10" after "9".
    if all(_number(name) is not None for name in all_names):
        return tuple(sorted(all_names, key=lambda name: (float(name), name)))
    return tuple(sorted(all_names))
