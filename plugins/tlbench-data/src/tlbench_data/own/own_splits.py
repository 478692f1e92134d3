"""Builds a task's splits from its files: chooses columns, infers the output kind, checks every row, draws splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from tlbench import Classes, DataError, Example, Examples, MultiLabel, Output, Scalar, Span, TokenClasses
from tlbench_data.drawing import draw
from tlbench_data.own.column_choice import ChosenColumns, choose
from tlbench_data.own.image_names import refuse_image_names
from tlbench_data.own.output_kinds import TargetColumn, infer, metrics_of, output_of, target_of
from tlbench_data.own.schemes import Format, questions_of, rows_of, sentences_in
from tlbench_data.own.tagged_words import tagged_rows
from tlbench_data.own.word_files import check_no_spans, check_no_words, sentences_of
from tlbench_data.readers.rows import Row, listed, shown

_SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
# Regression targets are stratified by deciles.
_STRATA = 10
ALL = "all"
"""Name of a part that contains all splits."""


@dataclass(frozen=True)
class Part:
    """Files that contain one split, or all splits."""

    split: str
    files: Sequence[Path]


def contents(*splits: Sequence[Path]) -> set[Path]:
    """Returns the resolved paths of all files, since two links may point to one file."""
    return {file.resolve() for files in splits for file in files}


def shared(splits: Mapping[str, Sequence[Path]]) -> tuple[str, str] | None:
    """Returns the first two splits that share a file, or None."""
    pairs = combinations(splits, 2)
    return next((pair for pair in pairs if contents(splits[pair[0]]) & contents(splits[pair[1]])), None)


@dataclass(frozen=True)
class Prepared:
    """Output, metrics and splits of a task made of files."""

    output: Output
    metrics: tuple[str, ...]
    splits: Mapping[str, Examples]
    description: str


def prepare(parts: Sequence[Part], form: Format, column: TargetColumn, texts: tuple[str, str], seed: int) -> Prepared:
    """Returns the task's splits, with every row read and checked.

    Raises:
        DataError: A file or row cannot be used (one line that names it), or a named column does not exist.
    """
    read = _read_questions(parts) if form.scheme == "squad" else _read_table(parts, form, column, texts)
    output, splits, path = read.output, dict(read.splits), parts[0].files[0]
    is_drawn = ALL in splits
    if is_drawn:
        splits = _draw_splits(splits[ALL], output, seed, path)
    _check(output, splits["train"], path)
    counts = ", ".join(f"{len(rows)} {split}" for split, rows in splits.items())
    draw_note = (
        f" (drawn by seed {seed}{', stratified' if isinstance(output, Classes | Scalar) else ''})" if is_drawn else ""
    )
    examples = {split: Examples(rows) for split, rows in splits.items()}
    return Prepared(output, read.metrics, examples, f"{read.summary}; {counts}{draw_note}")


@dataclass(frozen=True)
class _ReadFiles:
    output: Output
    metrics: tuple[str, ...]
    splits: Mapping[str, list[Example]]
    summary: str


def _read_questions(parts: Sequence[Part]) -> _ReadFiles:
    splits = {part.split: questions_of(part.files) for part in parts}
    return _ReadFiles(Span(), ("answer_f1", "exact_match"), splits, "answers to questions")


def _read_table(parts: Sequence[Part], form: Format, column: TargetColumn, texts: tuple[str, str]) -> _ReadFiles:
    rows, notes = _rows(parts, form, texts[0], column.name)
    # The first part is train or all: its rows decide columns, kind and label names for every split.
    first = next(iter(rows.values()))
    chosen = _columns(first, form, texts, column.name)
    if not texts[0]:
        refuse_image_names(first, chosen.texts[0])
    column = replace(column, name=chosen.label)
    has_words = any(isinstance(row.value(chosen.texts[0]), list | tuple) for row in first)
    given_kind = column.kind
    if not has_words and given_kind in ("", "multilabel"):
        check_no_spans(first, chosen.label)
    column = replace(column, kind=given_kind or ("tokens" if has_words else infer(first, column)))
    if has_words != (column.kind == "tokens"):
        what = "a list of words" if has_words else "a text"
        raise first[0].error(f"{chosen.texts[0]} is {what}, which does not fit kind={column.kind}")
    output: Output
    if column.kind == "tokens":
        tagged = tagged_rows(rows, chosen.texts[0], chosen.label, column.tags)
        rows, output, metrics, notes = tagged.splits, tagged.output, tagged.metrics, notes + tagged.notes
    else:
        if given := column.tags.given():
            raise DataError(
                f"{first[0].path}: {given[0]}= is for tags of words, not for kind={column.kind}; leave it out"
            )
        if column.kind == "classes" and not given_kind and len(chosen.texts) == 1:
            check_no_words(first, chosen.texts[0], chosen.label)
        output = output_of(first, column)
        metrics = metrics_of(output)
    splits = {split: _examples(split, split_rows, chosen, output, column) for split, split_rows in rows.items()}
    summary = f"{column.kind}{'' if given_kind else ' (inferred)'}: {' and '.join(chosen.texts)} -> {column.name}"
    if isinstance(output, Classes | MultiLabel | TokenClasses):
        summary += f" ({len(output.names)}: {listed(output.names)})"
    return _ReadFiles(output, metrics, splits, "; ".join((summary, *notes)))


def _rows(parts: Sequence[Part], form: Format, text: str, label: str) -> tuple[Mapping[str, list[Row]], list[str]]:
    """Returns the rows of each split, or its sentences, and notes on what was left out."""
    if form.scheme == "conll":
        read = {part.split: sentences_in(part.files, form) for part in parts}
        comments = sum(count for _, count in read.values())
        notes = [f"{comments} comment lines left out"] if comments else []
        return {split: rows for split, (rows, _) in read.items()}, notes
    rows = {part.split: rows_of(part.files, form) for part in parts}
    if form.sentence:
        rows = {split: sentences_of(split_rows, form.sentence, text, label) for split, split_rows in rows.items()}
    return rows, []


def _columns(rows: Sequence[Row], form: Format, texts: tuple[str, str], label: str) -> ChosenColumns:
    # The reader names its columns itself.
    if form.scheme == "conll" or form.sentence:
        words, tags = rows[0].values
        return ChosenColumns((words,), tags)
    return choose(rows[0], *texts, label)


def _examples(
    split: str, rows: Sequence[Row], chosen: ChosenColumns, output: Output, column: TargetColumn
) -> list[Example]:
    target = target_of(output, column)
    examples = []
    for number, row in enumerate(rows):
        inputs: tuple[Any, ...]
        if isinstance(output, TokenClasses):
            words = row.texts(chosen.texts[0])
            tags = row.texts(column.name)
            # Checked here, with the line: a metric would only see that lengths differ.
            if len(words) != len(tags) or not words:
                raise row.error(f"{len(tags)} tags for {len(words)} words")
            if not all(word.strip() for word in words):
                raise row.error("a word is empty")
            inputs = (words,)
        else:
            inputs = tuple(row.text(text) for text in chosen.texts)
        examples.append(Example(f"{'row' if split == ALL else split}-{number}", inputs, target(row)))
    return examples


def _draw_splits(examples: Sequence[Example], output: Output, seed: int, path: Path) -> dict[str, list[Example]]:
    # Questions about one paragraph stay in one split, as do rows with equal inputs.
    keys = [e.inputs[1] if isinstance(output, Span) else e.inputs for e in examples]
    parts = draw(keys, _strata(examples, output), _SHARES, seed)
    if empty := [split for split, rows in parts.items() if not rows]:
        raise DataError(f"{path}: {len(examples)} rows are too few to split: {empty[0]} would be empty")
    return {split: [examples[row] for row in rows] for split, rows in parts.items()}


def _strata(examples: Sequence[Example], output: Output) -> list[Hashable]:
    targets = [example.target for example in examples]
    if isinstance(output, Classes):
        return list(targets)
    # Rank of a value, so that equal targets are in one stratum.
    if isinstance(output, Scalar):
        ranks = {target: rank for rank, target in enumerate(sorted(targets))}
        return [ranks[target] * _STRATA // len(targets) for target in targets]
    return [0] * len(targets)


def _check(output: Output, train: Sequence[Example], path: Path) -> None:
    if isinstance(output, Classes | Scalar):
        counts = Counter(example.target for example in train)
        if len(counts) < 2:
            only = output.names[train[0].target] if isinstance(output, Classes) else train[0].target
            raise DataError(f"{path}: every training row has the label {shown(only)}, so there is nothing to learn")
    if isinstance(output, MultiLabel | TokenClasses) and len(output.names) < 2:
        raise DataError(f"{path}: the only label is {listed(output.names)}, so there is nothing to learn")
