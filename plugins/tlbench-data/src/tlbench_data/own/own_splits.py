"""From files to splits: columns chosen, kind inferred, every row checked, and a split drawn where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from tlbench import Classes, DataError, Example, Examples, MultiLabel, Output, Scalar, Span, TokenClasses
from tlbench_data.drawing import draw
from tlbench_data.own.column_choice import Chosen, choose
from tlbench_data.own.output_kinds import TargetColumn, infer, metrics_of, output_of, target_of
from tlbench_data.own.schemes import Format, questions_of, rows_of
from tlbench_data.readers.rows import Row, listed, shown

_SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}
_STRATA = 10
ALL = "all"
"""The name of a part that holds every split."""


@dataclass(frozen=True)
class Part:
    """Files that hold one split, or all of them."""

    split: str
    files: Sequence[Path]


def contents(*splits: Sequence[Path]) -> set[Path]:
    """Returns the files behind the names, since two links may lead to one."""
    return {file.resolve() for files in splits for file in files}


def shared(splits: Mapping[str, Sequence[Path]]) -> tuple[str, str] | None:
    """Returns the first two splits that have a file in common, or None."""
    pairs = combinations(splits, 2)
    return next((pair for pair in pairs if contents(splits[pair[0]]) & contents(splits[pair[1]])), None)


@dataclass(frozen=True)
class Prepared:
    """What was made of the files."""

    output: Output
    metrics: tuple[str, ...]
    splits: Mapping[str, Examples]
    description: str


def prepare(parts: Sequence[Part], form: Format, column: TargetColumn, texts: tuple[str, str], seed: int) -> Prepared:
    """Returns the splits, with every row read and checked.

    Raises:
        DataError: A file or a row that cannot be used; one line that names them.
        UsageError: Columns that are not there.
    """
    read = _questions(parts) if form.scheme == "squad" else _table(parts, form, column, texts)
    output, splits, path = read.output, dict(read.splits), parts[0].files[0]
    drawn = ALL in splits
    if drawn:
        splits = _drawn(splits[ALL], output, seed, path)
    _check(output, splits["train"], path)
    counts = ", ".join(f"{len(found)} {split}" for split, found in splits.items())
    by = f" (drawn by seed {seed}{', stratified' if isinstance(output, Classes | Scalar) else ''})" if drawn else ""
    examples = {split: Examples(found) for split, found in splits.items()}
    return Prepared(output, read.metrics, examples, f"{read.how}; {counts}{by}")


@dataclass(frozen=True)
class _Read:
    output: Output
    metrics: tuple[str, ...]
    splits: Mapping[str, list[Example]]
    how: str


def _questions(parts: Sequence[Part]) -> _Read:
    splits = {part.split: questions_of(part.files) for part in parts}
    return _Read(Span(), ("answer_f1", "exact_match"), splits, "answers to questions")


def _table(parts: Sequence[Part], form: Format, column: TargetColumn, texts: tuple[str, str]) -> _Read:
    rows = {part.split: rows_of(part.files, form) for part in parts}
    first = next(iter(rows.values()))
    chosen = _columns(first, form, texts, column.name)
    column = replace(column, name=chosen.label)
    worded = isinstance(first[0].value(chosen.texts[0]), list | tuple)
    said = column.kind
    column = replace(column, kind=said or infer(first, column, worded))
    if worded != (column.kind == "tokens"):
        what = "a list of words" if worded else "a text"
        raise first[0].error(f"{chosen.texts[0]} is {what}, which is not for kind={column.kind}")
    output = output_of(first, column)
    splits = {split: _examples(split, found, chosen, output, column) for split, found in rows.items()}
    how = f"{column.kind}{'' if said else ' (inferred)'}: {' and '.join(chosen.texts)} -> {column.name}"
    if isinstance(output, Classes | MultiLabel | TokenClasses):
        how += f" ({len(output.names)}: {listed(output.names)})"
    return _Read(output, metrics_of(output), splits, how)


def _columns(rows: Sequence[Row], form: Format, texts: tuple[str, str], label: str) -> Chosen:
    if form.scheme == "conll":
        return Chosen(("words",), "tags")
    return choose(rows[0], *texts, label)


def _examples(split: str, rows: Sequence[Row], chosen: Chosen, output: Output, column: TargetColumn) -> list[Example]:
    target = target_of(output, column)
    found = []
    for number, row in enumerate(rows):
        inputs: tuple[Any, ...]
        if isinstance(output, TokenClasses):
            words = row.texts(chosen.texts[0])
            tags = row.texts(column.name)
            if len(words) != len(tags) or not words:
                raise row.error(f"{len(tags)} tags for {len(words)} words")
            if not all(word.strip() for word in words):
                raise row.error("a word is empty")
            inputs = (words,)
        else:
            inputs = tuple(row.text(text) for text in chosen.texts)
        found.append(Example(f"{'row' if split == ALL else split}-{number}", inputs, target(row)))
    return found


def _drawn(examples: Sequence[Example], output: Output, seed: int, path: Path) -> dict[str, list[Example]]:
    # Questions about one paragraph are on one side, and so are rows that show the same.
    keys = [e.inputs[1] if isinstance(output, Span) else e.inputs for e in examples]
    parts = draw(keys, _strata(examples, output), _SHARES, seed)
    if short := [split for split, rows in parts.items() if not rows]:
        raise DataError(f"{path}: {len(examples)} rows are too few to be split: {short[0]} would be empty")
    return {split: [examples[row] for row in rows] for split, rows in parts.items()}


def _strata(examples: Sequence[Example], output: Output) -> list[Hashable]:
    targets = [example.target for example in examples]
    if isinstance(output, Classes):
        return list(targets)
    if isinstance(output, Scalar):
        ranks = {target: rank for rank, target in enumerate(sorted(targets))}
        return [ranks[target] * _STRATA // len(targets) for target in targets]
    return [0] * len(targets)


def _check(output: Output, train: Sequence[Example], path: Path) -> None:
    if isinstance(output, Classes | Scalar):
        counts = Counter(example.target for example in train)
        if len(counts) < 2:
            only = output.names[train[0].target] if isinstance(output, Classes) else train[0].target
            raise DataError(f"{path}: every training row has the label {shown(only)}: there is nothing to tell apart")
    if isinstance(output, MultiLabel | TokenClasses) and len(output.names) < 2:
        raise DataError(f"{path}: one label alone, {listed(output.names)}: there is nothing to tell apart")
