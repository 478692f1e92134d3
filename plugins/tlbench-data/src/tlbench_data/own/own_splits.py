"""Builds a task's splits from its files: chooses columns, infers the output kind, checks every row, draws splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from tlbench import Classes, DataError, Example, Examples, MultiLabel, Output, Scalar, Span, TokenClasses
from tlbench_data.columns.column_choice import ChosenColumns, choose, plain_column
from tlbench_data.columns.indicators import from_columns, from_lists, one_hot_columns, parsed_lists
from tlbench_data.columns.joined_texts import joined_columns, parts_of
from tlbench_data.columns.label_checks import (
    check_declared,
    conflict_note,
    joined_labels_note,
    look_alike_note,
    missing_like_note,
)
from tlbench_data.columns.left_out import check_characters, usable
from tlbench_data.columns.nested_columns import with_nested
from tlbench_data.columns.option_effects import check_kind_effects
from tlbench_data.columns.output_kinds import TargetColumn, infer, metrics_of, output_of, target_of
from tlbench_data.columns.renamed_labels import LabelMap, cell_separator
from tlbench_data.columns.unlabelled import class_order, without_unlabelled
from tlbench_data.division.dividing import ALL, Divided, Rows, SplitOptions, divided
from tlbench_data.division.row_groups import with_documents, with_groups
from tlbench_data.own.image_names import refuse_image_names
from tlbench_data.own.questions import hold_questions, question_splits
from tlbench_data.own.schemes import Format, rows_of, sentences_in
from tlbench_data.readers.rows import Row, listed, shown
from tlbench_data.tasks.shared_texts import grouped_by_context
from tlbench_data.words.tagged_words import TagOptions, tagged_rows
from tlbench_data.words.word_files import check_no_words, sentences_of


@dataclass(frozen=True)
class Part:
    """Files that contain one split, or all splits."""

    split: str
    files: Sequence[Path]
    note: str = ""
    """A note on how the files were chosen, such as the table of an archive, or on files that are not read."""


def contents(*splits: Sequence[Path]) -> set[Path]:
    """Returns the resolved paths of all files of the splits, so that two links to one file count once."""
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
    """The columns, kind and splits in one line, with the notes at its end."""
    notes: tuple[str, ...] = ()
    """How the files were read: their layout, and incomplete rows that were left out."""
    label_notes: tuple[str, ...] = ()
    """Notes on labels that look alike, and on texts that occur with different labels."""
    order: tuple[str, ...] = ()
    """The classes in the order of a Parquet file's metadata; empty if there is none."""
    columns: tuple[tuple[str, ...], ...] = ()
    """For each input the columns that were joined to it."""


@dataclass(frozen=True)
class Options:
    """Options in a task's name for reading its files, other than those in `Format` and `TargetColumn`."""

    texts: tuple[str, str] = ("", "")
    drop_missing: bool = False
    names: tuple[str, ...] = ()
    """Names of the positions in lists of 0 and 1, or of numbered tags."""
    tag_scheme: str = ""
    division: SplitOptions = field(default_factory=SplitOptions)


def prepare(parts: Sequence[Part], form: Format, column: TargetColumn, options: Options) -> Prepared:
    """Returns the task's splits, with every row read and checked.

    Raises:
        DataError: A file or row cannot be used (one line that names it), or a named column does not exist.
    """
    is_table = any((*options.texts, column.name, column.kind, form.sentence))
    if not is_table and hold_questions(parts[0].files[0], form, column, options):
        questions = question_splits({part.split: part.files for part in parts}, form, options.division)
        read = _ReadFiles(Span(), ("answer_f1", "exact_match"), questions, "answers to questions")
    else:
        read = _read_table(parts, form, column, options)
    output, path = read.output, parts[0].files[0]
    made = divided(Rows(read.splits, read.times, output, path), options.division, declared=bool(column.labels))
    _check(output, made.splits["train"], path)
    examples = {split: Examples(rows) for split, rows in made.splits.items()}
    if isinstance(output, Span) and not options.division.group and "test" in examples:
        examples["test"] = grouped_by_context(examples["test"])
    notes = (*(part.note for part in parts if part.note), *read.notes, *made.notes)
    has_labels = isinstance(output, Classes | MultiLabel) and not column.normalize
    alike = look_alike_note(output.classes) if has_labels else []
    label_notes = (*alike, *conflict_note(made.splits.values(), output))
    description = "; ".join([read.summary, _sizes(made), *notes, *label_notes])
    return Prepared(output, read.metrics, examples, description, notes, label_notes, read.order, read.columns)


def _sizes(made: Divided) -> str:
    counts = ", ".join(f"{len(rows)} {split}" for split, rows in made.splits.items())
    return f"{counts} ({made.how})" if made.how else counts


@dataclass(frozen=True)
class _ReadFiles:
    output: Output
    metrics: tuple[str, ...]
    splits: Mapping[str, list[Example]]
    summary: str
    notes: Sequence[str] = ()
    order: tuple[str, ...] = ()
    times: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """The time of each example, by split; None where times are not used."""
    columns: tuple[tuple[str, ...], ...] = ()


def _read_table(parts: Sequence[Part], form: Format, column: TargetColumn, options: Options) -> _ReadFiles:
    rows, notes = _rows(parts, form, column, options)
    # The first part is train or all: its rows decide columns, kind and label names for every split.
    split = next(iter(rows))
    given, texts, renames, there = column, options.texts, LabelMap(column.map), rows[split][0].values
    if form.scheme != "conll" and not form.sentence:
        rows, texts, joined_notes = joined_columns(rows, texts)
        notes += joined_notes
        column = replace(column, name=plain_column(rows[split][0], column.name))
    may_be_indicators = form.scheme != "conll" and not form.sentence and column.kind in ("", "classes", "multilabel")
    if may_be_indicators and (columns := one_hot_columns(rows[split], texts, column.name)):
        indicators = from_columns(rows, columns, column.kind)
        rows, column = indicators.rows, replace(column, name="+".join(columns), labels=indicators.names)
        notes.append(indicators.note)
    chosen = _columns(rows[split], form, texts, column.name)
    if not texts[0]:
        refuse_image_names(rows[split], chosen.texts[0])
    column = replace(column, name=chosen.label)
    order = class_order(parts[0].files[0], column.name)
    rows = without_unlabelled(rows, column.name, order)
    for part_rows in rows.values():
        check_characters(part_rows, (*chosen.texts, column.name))
    has_words = any(isinstance(row.value(chosen.texts[0]), list | tuple) for row in rows[split])
    if column.kind and has_words != (column.kind == "tokens"):
        what = "a list of words" if has_words else "a text"
        raise rows[split][0].error(f"{chosen.texts[0]} is {what}, which does not fit kind={column.kind}")
    if has_words:
        return _read_words(rows, chosen, column, options, notes)
    if may_be_indicators and column.labels == given.labels:
        rows = parsed_lists(rows, column.name, column.kind)
        indicators = from_lists(rows, column.name, column.kind, options.names)
        if indicators.names:
            rows, column = indicators.rows, replace(column, labels=indicators.names)
            notes.append(indicators.note)
    elif options.names:
        raise DataError(f"{rows[split][0].path}: names= is for lists of 0 and 1, which {column.name} does not hold")
    if given.labels and column.labels != given.labels:
        raise DataError(f"{rows[split][0].path}: labels= is for names in {column.name}, which holds zeros and ones")
    rows = renames.rows(rows, column.name, cell_separator(rows[split], column))
    if column.labels != given.labels:
        column = replace(column, labels=renames.names(column.labels))
    may_be_unlabelled = column.kind == "multilabel" or bool(column.separator)
    rows, left_out = usable(
        rows,
        chosen,
        may_be_unlabelled=may_be_unlabelled,
        drop=options.drop_missing,
        other_test=_other_test(form, rows),
    )
    first = rows[split]
    column, reason = infer(first, column)
    check_kind_effects(given, column.kind, first[0].path)
    if options.tag_scheme:
        raise DataError(f"{first[0].path}: tag_scheme= is for tags of words, not for kind={column.kind}; leave it out")
    if column.kind == "classes" and not given.kind and len(chosen.texts) == 1:
        check_no_words(first, chosen.texts[0], column.name)
    output, joined = output_of(first, column)
    check_declared(rows, output, column)
    odd = [*joined_labels_note(output), *missing_like_note(output)]
    splits = {each: _examples(each, part_rows, chosen, output, column) for each, part_rows in rows.items()}
    how = "" if given.kind else f" (inferred: {reason})" if reason else " (inferred)"
    summary = _summary(how, chosen, output, column)
    all_notes = list(dict.fromkeys([*notes, *([reason] if given.kind and reason else []), *left_out, *joined, *odd]))
    order = renames.names(order)
    own_order = order if set(order) >= set(output.classes) else ()
    columns = parts_of(chosen.texts, options.texts, there)
    return _ReadFiles(output, metrics_of(output), splits, summary, all_notes, own_order, _times(rows), columns)


def _read_words(
    rows: Mapping[str, Sequence[Row]],
    chosen: ChosenColumns,
    given: TargetColumn,
    options: Options,
    notes: Sequence[str],
) -> _ReadFiles:
    check_kind_effects(given, "tokens", next(iter(rows.values()))[0].path)
    tag_options = TagOptions(options.tag_scheme, options.names, given.labels, options.drop_missing, given.map)
    tagged = tagged_rows(rows, chosen.texts[0], given.name, tag_options)
    column = replace(given, kind="tokens")
    splits = {
        split: _examples(split, part_rows, chosen, tagged.output, column) for split, part_rows in tagged.splits.items()
    }
    summary = _summary("" if given.kind else " (inferred)", chosen, tagged.output, column)
    times = _times(tagged.splits)
    return _ReadFiles(
        tagged.output, tagged.metrics, splits, summary, [*notes, *tagged.notes], times=times, columns=(chosen.texts,)
    )


def _times(rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Any]]:
    return {split: [row.time for row in split_rows] for split, split_rows in rows.items()}


def _rows(
    parts: Sequence[Part], form: Format, column: TargetColumn, options: Options
) -> tuple[Mapping[str, Sequence[Row]], list[str]]:
    """Returns the rows of each split, one per sentence for tagged words, and notes on layout and left-out lines."""
    if form.scheme == "conll":
        sentences = {part.split: sentences_in(part.files, form) for part in parts}
        comments = sum(count for _, count in sentences.values())
        notes = [f"{comments} comment lines left out"] if comments else []
        by_document = bool(options.division.group)
        return {split: with_documents(rows, split, by_document) for split, (rows, _) in sentences.items()}, notes
    tables = {part.split: rows_of(part.files, form) for part in parts}
    notes = [note for _, part_notes in tables.values() for note in part_notes]
    text, division = options.texts[0], options.division
    given = (*options.texts, column.name, form.sentence)
    used = {part for name in given for part in (name, *name.split("+"))}
    flat = with_nested({split: rows for split, (rows, _) in tables.items()}, (*given, division.group, division.time))
    splits = {split: with_groups(rows, division.group, division.time, used) for split, rows in flat.items()}
    if form.sentence:
        return {split: sentences_of(rows, form.sentence, text, column.name) for split, rows in splits.items()}, notes
    return splits, notes


def _summary(how: str, chosen: ChosenColumns, output: Output, column: TargetColumn) -> str:
    summary = f"{column.kind}{how}: {' and '.join(chosen.texts)} -> {column.name}"
    if isinstance(output, Classes | MultiLabel | TokenClasses):
        summary += f" ({len(output.names)}: {listed(output.names)})"
    return summary


def _other_test(form: Format, rows: Mapping[str, Sequence[Row]]) -> str:
    """Returns the value of `test=` that makes the validation split the test split; "" if there is none."""
    if form.scheme == "hub":
        return "validation"
    return rows["validation"][0].path.name if "validation" in rows else ""


def _columns(rows: Sequence[Row], form: Format, texts: tuple[str, str], label: str) -> ChosenColumns:
    # The reader names its columns itself.
    if form.scheme == "conll" or form.sentence:
        words, tags = rows[0].values
        return ChosenColumns((words,), tags)
    if form.scheme == "parallel":
        return ChosenColumns(("source",), "target", "target text")
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
            # Checked here, where the line is known for the message: a metric would only see that lengths differ.
            if len(words) != len(tags) or not words:
                raise row.error(f"{len(tags)} tags for {len(words)} words")
            if not all(word.strip() for word in words):
                raise row.error("a word is empty")
            inputs = (words,)
        else:
            inputs = tuple(row.text(text) for text in chosen.texts)
        identity = f"{'row' if split == ALL else split}-{number}"
        examples.append(Example(identity, inputs, target(row), group=row.group))
    return examples


def _check(output: Output, train: Sequence[Example], path: Path) -> None:
    if isinstance(output, Classes | Scalar):
        counts = Counter(example.target for example in train)
        if len(counts) < 2:
            only = output.names[train[0].target] if isinstance(output, Classes) else train[0].target
            raise DataError(f"{path}: every training row has the label {shown(only)}, so there is nothing to learn")
    if isinstance(output, MultiLabel | TokenClasses) and len(output.names) < 2:
        raise DataError(f"{path}: the only label is {listed(output.names)}, so there is nothing to learn")
