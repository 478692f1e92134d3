"""What is asked of a column: the kind of output, inferred from its values or set, and the targets that it holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tlbench import Classes, DataError, MultiLabel, Output, Scalar, Text, TokenClasses
from tlbench_data.readers.rows import Row, shown

KINDS = ("classes", "multilabel", "scalar", "text", "tokens")
FEW_NUMBERS = 20
"""So many different whole numbers are taken for classes; more for a quantity."""
_MOST_NAMES = 1000
_SURELY = 0.9

METRICS: dict[type, tuple[str, ...]] = {
    Classes: ("accuracy", "f1_macro", "matthews"),
    MultiLabel: ("f1_micro", "f1_macro", "accuracy"),
    Scalar: ("pearson", "spearman"),
    Text: ("rougeL", "chrf", "bleu"),
}
OF_ONE_CLASS = ("f1", "precision", "recall")
"""Metrics of the class that counts as found, which of more than two has to be named."""


@dataclass(frozen=True)
class TargetColumn:
    """The column of labels, and how it is read."""

    name: str
    kind: str = ""
    separator: str = ";"
    """Stands between the labels of a cell that holds several."""
    max_length: int = 64


def infer(rows: Sequence[Row], column: TargetColumn, worded: bool) -> str:
    """Returns the kind of output that the values ask for; `worded` says that the inputs are lists of words.

    Raises:
        DataError: They fit none, or might be classes as well as texts.
    """
    values = [_filled(row, column.name) for row in rows]
    if worded:
        return "tokens"
    if isinstance(values[0], list | tuple):
        return "multilabel"
    words = [_word(value) for value in values]
    numbers = [number for word in words if (number := _number(word)) is not None]
    different = len(set(words))
    if len(numbers) < len(words):
        if len(numbers) > _SURELY * len(words) and different > FEW_NUMBERS:
            return "scalar"
        if different > _MOST_NAMES or different > max(FEW_NUMBERS, len(words) / 2):
            raise DataError(
                f"{rows[0].path}: {column.name} has {different} different values in {len(words)} rows: "
                "say kind=classes or kind=text"
            )
        return "classes"
    whole = all(number == int(number) for number in numbers)
    return "classes" if whole and different <= FEW_NUMBERS else "scalar"


def output_of(rows: Sequence[Row], column: TargetColumn) -> Output:
    """Returns the output that the training rows ask for, with the names that stand in them.

    Raises:
        DataError: A value that is none of its kind.
    """
    if column.kind == "scalar":
        return Scalar()
    if column.kind == "text":
        return Text(column.max_length)
    if column.kind == "multilabel":
        return MultiLabel(_ordered({name for row in rows for name in _several(row, column)}))
    if column.kind == "tokens":
        return TokenClasses(_tags({tag for row in rows for tag in row.texts(column.name)}))
    return Classes(_ordered({_word(_filled(row, column.name)) for row in rows}))


def target_of(output: Output, column: TargetColumn) -> Callable[[Row], Any]:
    """Returns what makes a target of a row; it raises a `DataError` for a value that is none of its kind."""
    if isinstance(output, Scalar):
        return lambda row: row.real(column.name)
    if isinstance(output, Text):
        return lambda row: _references(row, column.name)
    assert isinstance(output, Classes | MultiLabel | TokenClasses)
    place = {name: index for index, name in enumerate(output.names)}
    if isinstance(output, MultiLabel):

        def several(row: Row) -> tuple[int, ...]:
            held = {_index(row, name, place, column.name) for name in _several(row, column)}
            return tuple(int(index in held) for index in range(len(place)))

        return several
    if isinstance(output, TokenClasses):
        return lambda row: tuple(_index(row, tag, place, column.name) for tag in row.texts(column.name))
    return lambda row: _index(row, _word(_filled(row, column.name)), place, column.name)


def metrics_of(output: Output) -> tuple[str, ...]:
    """Returns the metrics of an output, the primary one first."""
    if isinstance(output, TokenClasses):
        entities = all(name == "O" or name[:2] in ("B-", "I-") for name in output.names)
        return ("entity_f1", "entity_precision", "entity_recall", "accuracy") if entities else ("accuracy",)
    return METRICS[type(output)]


def _filled(row: Row, column: str) -> Any:
    value = row.value(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise row.error(f"{column} is empty")
    return row.whole(column, value) if isinstance(value, str) else value


def _several(row: Row, column: TargetColumn) -> list[str]:
    value = row.value(column.name)
    if isinstance(value, str):
        value = value.split(column.separator)
    if value is None or not isinstance(value, list | tuple):
        raise row.error(f"{column.name} is {shown(value)}, not a list of labels")
    return [row.whole(column.name, word) for item in value if (word := _word(item))]


def _references(row: Row, column: str) -> tuple[str, ...]:
    value = _filled(row, column)
    texts = row.texts(column) if isinstance(value, list | tuple) else (row.text(column),)
    if not texts or not all(text.strip() for text in texts):
        raise row.error(f"{column} holds an empty text")
    return texts


def _index(row: Row, name: str, place: Mapping[str, int], column: str) -> int:
    if name not in place:
        raise row.error(f"{column} is {shown(name)}, which no training row has")
    return place[name]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    every = list(names)
    if all(_number(name) is not None for name in every):
        return tuple(sorted(every, key=lambda name: (float(name), name)))
    return tuple(sorted(every))


def _tags(names: set[str]) -> tuple[str, ...]:
    """Returns the tags with O first and B-x before I-x."""
    return tuple(sorted(names, key=lambda name: (name != "O", name[2:] if name[1:2] == "-" else name, name)))
