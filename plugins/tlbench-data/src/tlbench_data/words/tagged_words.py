"""Prepares rows of words and tags: names of numbered tags, one scheme of tags, and the declared set of tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tlbench import DataError, TokenClasses
from tlbench_data.columns.renamed_labels import LabelMap
from tlbench_data.name_lists import as_option
from tlbench_data.readers.rows import Row, listed, shown
from tlbench_data.words import tag_schemes

ENTITY_METRICS = ("entity_f1", "entity_precision", "entity_recall", "accuracy")
PLAIN_METRICS = ("accuracy",)


@dataclass(frozen=True)
class TagOptions:
    """The options for tags in the name of a task."""

    tag_scheme: str = ""
    names: tuple[str, ...] = ()
    """Names of tags that the data give as numbers, in the order of the numbers."""
    labels: tuple[str, ...] = ()
    """All tags, as declared by the user; empty to take those of the training rows."""
    drop_missing: bool = False
    """Whether sentences without words or tags are left out."""
    map: tuple[tuple[str, str], ...] = ()
    """Old and new names of tags."""


@dataclass(frozen=True)
class TaggedRows:
    """Rows with a tag for each word, in BIO where they mark entities."""

    splits: Mapping[str, list[Row]]
    output: TokenClasses
    metrics: tuple[str, ...]
    notes: list[str]
    """What was done to the tags, for the task's description."""


def tagged_rows(splits: Mapping[str, Sequence[Row]], words: str, tags: str, options: TagOptions) -> TaggedRows:
    """Returns the rows with their tags converted to BIO, and the output with all tags of the training rows.

    The first split must be the training rows, or all rows if the data are not split.

    Raises:
        DataError: A row lacks words or tags or has an undeclared tag, or the scheme of the tags is ambiguous.
    """
    notes = []
    kept = {split: list(rows) for split, rows in splits.items()}
    if dropped := _dropped(kept, words, tags, options.drop_missing):
        notes.append(f"{dropped} {'row' if dropped == 1 else 'rows'} without words or tags left out")
    kept = _named(kept, tags, options)
    renames = LabelMap(options.map)
    kept = {split: list(rows) for split, rows in renames.rows(kept, tags).items()}
    train = next(iter(kept.values()))
    declared = options.labels or renames.names(options.names)
    sentences = [row.texts(tags) for row in train]
    path = str(train[0].path)
    scheme = tag_schemes.recognise(sentences, declared, options.tag_scheme, path)
    present = {tag for sentence in sentences for tag in sentence}
    if declared and (missing := sorted(present - set(declared))):
        raise DataError(f"{path}: {'labels' if options.labels else 'names'}= lacks {listed(missing)}")
    if note := tag_schemes.note(scheme, sorted(present - {"O"})):
        notes.append(note)
    converted = {split: [_converted(row, tags, scheme) for row in rows] for split, rows in kept.items()}
    names = _output_names(scheme, declared, converted, tags)
    _check_known(converted, tags, names)
    metrics = PLAIN_METRICS if scheme.name == "plain" else ENTITY_METRICS
    return TaggedRows(converted, TokenClasses(sorted_tags(names)), metrics, notes)


def sorted_tags(names: Iterable[str]) -> tuple[str, ...]:
    """Returns the tags sorted with O first and B-x before I-x."""
    return tuple(sorted(names, key=lambda name: (name != "O", name[2:] if name[1:2] == "-" else name, name)))


def _dropped(splits: dict[str, list[Row]], words: str, tags: str, drop: bool) -> int:
    """Removes rows without words or tags from `splits`, and returns their number.

    Raises:
        DataError: There are such rows, and `drop` is false.
    """
    empty = [row for rows in splits.values() for row in rows if not row.value(words) or not row.value(tags)]
    if empty and not drop:
        count = "this row has" if len(empty) == 1 else f"this row and {len(empty) - 1} others have"
        raise empty[0].error(f"{count} no words or no tags: complete them, or leave them out with drop_missing=true")
    for split, rows in splits.items():
        splits[split] = [row for row in rows if row.value(words) and row.value(tags)]
        if rows and not splits[split]:
            raise DataError(f"{rows[0].path}: no row has words and tags")
    return len(empty)


def _named(splits: dict[str, list[Row]], column: str, options: TagOptions) -> dict[str, list[Row]]:
    """Returns the rows with tag names in place of numbers; unchanged if the tags are not numbers."""
    names = options.names
    every_row = [row for rows in splits.values() for row in rows]
    numbers = [number for row in every_row for tag in _list(row, column) if (number := _number(tag, names)) is not None]
    if not numbers:
        if names:
            raise every_row[0].error(
                f"names= is for numbered tags, but {column} is {shown(every_row[0].value(column))}"
            )
        return splits
    if not names and options.tag_scheme != "plain":
        raise every_row[0].error(
            f"{column} has the numbers {min(numbers)} to {max(numbers)}: name them in their order, as "
            "[names=O+B-PER+I-PER], or set tag_scheme=plain to learn a class for each word"
        )

    def named(row: Row) -> Row:
        tags = tuple(_name(row, column, tag, names) for tag in _list(row, column))
        return replace(row, values={**row.values, column: tags})

    return {split: [named(row) for row in rows] for split, rows in splits.items()}


def _list(row: Row, column: str) -> Sequence[Any]:
    value = row.value(column)
    if not isinstance(value, list | tuple):
        raise row.error(f"{column} is {shown(value)}, not a list of tags")
    return value


def _number(tag: Any, names: tuple[str, ...]) -> int | None:
    """Returns a numbered tag as an integer, else None; a text of digits counts as a number only if names are given."""
    if isinstance(tag, int) and not isinstance(tag, bool):
        return tag
    return int(tag) if names and isinstance(tag, str) and tag.isascii() and tag.isdigit() else None


def _name(row: Row, column: str, tag: Any, names: tuple[str, ...]) -> str:
    number = _number(tag, names)
    if number is None:
        raise row.error(f"{column} has {shown(tag)} among numbers")
    if names and not 0 <= number < len(names):
        raise row.error(f"{column} has the number {number}, but names= has names of 0 to {len(names) - 1}")
    return names[number] if names else str(number)


def _converted(row: Row, column: str, scheme: tag_schemes.TagScheme) -> Row:
    tags = row.texts(column)
    try:
        bio = scheme.to_bio(tags)
    except ValueError as error:
        tag = shown(error.args[0])
        raise row.error(f"{column} has {tag}, but the training rows have tags in {scheme.name.upper()}") from None
    return replace(row, values={**row.values, column: bio})


def _output_names(
    scheme: tag_schemes.TagScheme, declared: tuple[str, ...], splits: Mapping[str, list[Row]], column: str
) -> set[str]:
    train = next(iter(splits.values()))
    present = {tag for row in train for tag in row.texts(column)}
    if not scheme.is_converted:
        return set(declared) or present
    # Train may lack a BIO tag that test needs: S-LOC in train becomes B-LOC, but E-LOC in test becomes I-LOC.
    for tag in declared:
        present |= set(scheme.to_bio([tag]))
    kinds = {tag[2:] for tag in present if tag != "O"}
    marks = {f"{mark}-{kind}" if kind else mark for kind in kinds for mark in "BI"}
    return (present & {"O"}) | marks


def _check_known(splits: Mapping[str, list[Row]], column: str, names: set[str]) -> None:
    """Checks that every tag is one of `names`.

    Raises:
        DataError: Some are not; the message has the option `labels=` that declares all tags.
    """
    unknown = [(row, tag) for rows in splits.values() for row in rows for tag in row.texts(column) if tag not in names]
    if unknown:
        row, tag = unknown[0]
        every = as_option("labels", sorted_tags(names | {tag for _, tag in unknown}))
        raise row.error(f"{column} has {shown(tag)}, which no training row has; declare all tags: [{every}]")
