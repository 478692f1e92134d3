"""Infers the kind of output from a label column, and reads the targets in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tlbench import Classes, DataError, MultiLabel, Output, Scalar, Text, TokenClasses
from tlbench_data.columns import label_values
from tlbench_data.columns.label_values import named_classes, number_of, text_of
from tlbench_data.readers.rows import Row, listed, shown

KINDS = ("classes", "multilabel", "scalar", "text", "tokens")
FEW_NUMBERS = 20
"""Up to this many distinct whole numbers are always classes; more are only if they are 0 to K-1, each repeated."""
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
    separator: str = ""
    """Separates the labels in one cell of a multi-label column; a semicolon if empty."""
    max_length: int = 64
    decimal: str = ""
    """Mark before the fraction of a number, "." or ","; found from the values if empty."""
    normalize: bool = False
    """Whether labels that differ only in case, spaces, width or Unicode form are one class."""
    labels: tuple[str, ...] = ()
    """All classes in order, as declared by the user; empty to take those of the training rows."""
    map: tuple[tuple[str, str], ...] = ()
    """Old and new names of labels."""


def infer(rows: Sequence[Row], column: TargetColumn) -> tuple[TargetColumn, str]:
    """Returns the column with the inferred kind of output, and a note, or "", on the reason and the alternative.

    For tables of texts only: words with a tag for each have the kind tokens, which is not inferred here.

    Args:
        rows: The training rows, each with a label.
        column: The label column; a kind that is given is kept.

    Raises:
        DataError: A value cannot be a label, or the values could be of two kinds.
    """
    values = [_label(row, column.name) for row in rows]
    if column.kind and column.kind != "scalar":
        return column, ""
    if not column.kind and isinstance(values[0], list | tuple):
        return replace(column, kind="multilabel"), ""
    if not column.kind and column.labels:
        return replace(column, kind="classes"), ""
    words = [text_of(value) for value in values]
    if not column.kind and column.separator and any(column.separator in word for word in words):
        return replace(column, kind="multilabel"), f"a cell has labels separated by {column.separator!r}"
    where, note = f"{rows[0].path}: {column.name}", ""
    if not column.decimal and label_values.has_decimal_commas(words):
        if label_values.may_be_thousands(words):
            example = next(word for word in words if "," in word)
            raise DataError(
                f"{where}: {example!r} may be {example.replace(',', '.')} or {example.replace(',', '')}:"
                ' set decimal="," for the first; for the second, write the numbers without commas'
            )
        column, note = replace(column, decimal=","), "numbers with a decimal comma; kind=classes takes them as texts"
    if column.kind:
        return column, note
    numbers = [number for value in values if (number := number_of(value, column.decimal or ".")) is not None]
    counts = Counter(words)
    if len(numbers) < len(words):
        if len(numbers) > _MOSTLY * len(words) and len(counts) > FEW_NUMBERS:
            # Numbers with a few stray words: later, the stray words raise an error with their line.
            return replace(column, kind="scalar"), ""
        if len(counts) > _MOST_NAMES or len(counts) > max(FEW_NUMBERS, len(words) / 2):
            raise DataError(
                f"{where} has {len(counts)} different values in {len(words)} rows: set kind=classes or kind=text"
            )
        return replace(column, kind="classes"), ""
    # Ratings and class codes are few whole numbers, and any fraction is a quantity.
    if not all(number == int(number) for number in numbers):
        return replace(column, kind="scalar"), note
    distinct = Counter(map(int, numbers))
    if len(distinct) <= FEW_NUMBERS:
        return replace(column, kind="classes", decimal=""), ""
    if sorted(distinct) == list(range(len(distinct))) and min(distinct.values()) > 1:
        reason = f"the whole numbers 0 to {len(distinct) - 1}, each several times; kind=scalar takes them as quantities"
        return replace(column, kind="classes", decimal=""), reason
    raise DataError(
        f"{where} has {len(distinct)} different whole numbers from {min(distinct)} to {max(distinct)}:"
        " set kind=classes or kind=scalar"
    )


def output_of(rows: Sequence[Row], column: TargetColumn) -> tuple[Output, list[str]]:
    """Returns the output kind of the training rows, with the label names in them, and notes on merged spellings.

    Raises:
        DataError: A value does not fit the kind, or is a label that is not one of those declared.
    """
    if column.kind == "scalar":
        return Scalar(), []
    if column.kind == "text":
        return Text(column.max_length), []
    _refuse_lists_among_texts(rows, column)
    # Names of the training rows only, unless declared: a label that only the test split has could not be learnt.
    if column.kind == "multilabel":
        texts = [name for row in rows for name in _labels(row, column)]
        return MultiLabel(column.labels or _sorted_names(_names(texts, column))), _joined(texts, column)
    values = [_label(row, column.name) for row in rows]
    if pair := label_values.mixed(values):
        one, other = (f"{shown(values[at])} ({rows[at].unit} {rows[at].number})" for at in pair)
        raise DataError(
            f"{rows[0].path}: {column.name} is {one} and {other}: write all labels as texts, or all as numbers"
        )
    texts = [text_of(value) for value in values]
    return Classes(column.labels or _sorted_names(_names(texts, column))), _joined(texts, column)


def _refuse_lists_among_texts(rows: Sequence[Row], column: TargetColumn) -> None:
    """Refuses lists of labels if other rows have a single label, or if the kind is not multilabel.

    Raises:
        DataError: A row has such a list.
    """
    labelled = [row for row in rows if not label_values.is_missing(row.value(column.name))]
    lists = [row for row in labelled if isinstance(row.value(column.name), list | tuple)]
    singles = [row for row in labelled if not isinstance(row.value(column.name), list | tuple)]
    if not lists or (column.kind == "multilabel" and not singles):
        return
    if singles:
        one = f"{shown(singles[0].value(column.name))} in {singles[0].unit} {singles[0].number}"
        advice = f"a list of labels, but {one} is one label: write lists in all rows, or in none"
    else:
        advice = "a list of labels, where kind=classes has one"
    raise lists[0].error(f"{column.name} is {shown(lists[0].value(column.name))}, {advice}")


def target_of(output: Output, column: TargetColumn) -> Callable[[Row], Any]:
    """Returns a function that converts a row to its target; it raises DataError for a value that does not fit."""
    if isinstance(output, Scalar):
        return lambda row: _number(row, column)
    if isinstance(output, Text):
        return lambda row: _references(row, column.name)
    assert isinstance(output, Classes | MultiLabel | TokenClasses)
    if isinstance(output, TokenClasses):
        tags = {name: index for index, name in enumerate(output.names)}
        return lambda row: tuple(_index(row, tag, tags.get(tag), column) for tag in row.texts(column.name))
    names = output.names
    index_of = label_values.indices_of(names, normalize=column.normalize)
    if isinstance(output, MultiLabel):

        def label_vector(row: Row) -> tuple[int, ...]:
            present = {_index(row, name, index_of(name), column) for name in _labels(row, column)}
            return tuple(int(index in present) for index in range(len(names)))

        return label_vector

    def class_index(row: Row) -> int:
        name = text_of(_label(row, column.name))
        return _index(row, name, index_of(name), column)

    return class_index


def labels_of(row: Row, column: TargetColumn) -> list[str]:
    """Returns the names of the labels of a row, for kind=classes and kind=multilabel; raises as `target_of`."""
    return _labels(row, column) if column.kind == "multilabel" else [text_of(_label(row, column.name))]


def metrics_of(output: Output) -> tuple[str, ...]:
    """Returns the metrics of an output, the primary one first."""
    return METRICS[type(output)]


def _label(row: Row, column: str) -> Any:
    value = row.value(column)
    if likeness := label_values.looks_like(value):
        raise row.error(f"{column} is {shown(value)}, which looks like {likeness}")
    return row.checked(column, value) if isinstance(value, str) else value


def _labels(row: Row, column: TargetColumn) -> list[str]:
    value = _label(row, column.name)
    if isinstance(value, str):
        value = value.split(column.separator or ";")
    if value is None or not isinstance(value, list | tuple):
        raise row.error(f"{column.name} is {shown(value)}, not a list of labels")
    if any(not isinstance(item, str) and label_values.is_missing(item) for item in value):
        raise row.error(f"{column.name} is {shown(value)}, in which a label is missing")
    return [row.checked(column.name, word) for item in value if (word := text_of(item))]


def _number(row: Row, column: TargetColumn) -> float:
    number = number_of(value := _label(row, column.name), column.decimal or ".")
    if number is None:
        raise row.error(f"{column.name} is {shown(value)}, not a number")
    return number


def _references(row: Row, column: str) -> tuple[str, ...]:
    value = row.value(column)
    texts = row.texts(column) if isinstance(value, list | tuple) else (row.text(column),)
    if not texts or not all(text.strip() for text in texts):
        raise row.error(f"{column} holds an empty text")
    return texts


def _index(row: Row, name: str, index: int | None, column: TargetColumn) -> int:
    if index is None:
        why = "labels= does not name" if column.labels else "no training row has"
        raise row.error(f"{column.name} is {shown(name)}, which {why}")
    return index


def _names(texts: Iterable[str], column: TargetColumn) -> list[str]:
    return list(named_classes(texts, normalize=column.normalize))


def _joined(texts: Iterable[str], column: TargetColumn) -> list[str]:
    """Returns a note on labels whose spellings are merged into one class, as a list; empty if there are none."""
    if column.labels:
        return []
    spellings = named_classes(texts, normalize=column.normalize).values()
    joined = [", ".join(map(ascii, group)) for group in spellings if len(group) > 1]
    return [f"read as one class: {listed([f'({group})' for group in joined])}"] if joined else []


def _sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    all_names = list(names)
    # Numbers in numeric order: "10" after "9".
    if all(number_of(name) is not None for name in all_names):
        return tuple(sorted(all_names, key=lambda name: (float(name), name)))
    return tuple(sorted(all_names))
