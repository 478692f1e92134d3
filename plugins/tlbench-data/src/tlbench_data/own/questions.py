"""Reads the splits of questions on contexts, from SQuAD files or the tables of a hub repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tlbench import DataError, Example
from tlbench_data.columns.column_choice import are_questions
from tlbench_data.columns.option_effects import check_unused
from tlbench_data.division.dividing import SplitOptions
from tlbench_data.own.schemes import Format, first_row, hub_format, questions_of


def hold_questions(file: Path, form: Format, *options: Any) -> bool:
    """Returns whether a file holds questions: true for `squad:`, decided by the columns for tables of a hub repository.

    Args:
        file: A file of the training split.
        form: How the file is read.
        options: Dataclasses of other options, which have no effect on questions.

    Raises:
        DataError: The file cannot be read, or an option without effect on questions is set.
    """
    if form.scheme == "squad":
        return True
    # A CSV file has no nested values, so it cannot hold lists of answers.
    if form.scheme != "hub" or hub_format(file) == "csv":
        return False
    row = first_row(file, form)
    if row is None or not are_questions(row):
        return False
    check_unused(file, "questions", form, *options)
    return True


def question_splits(
    files: Mapping[str, Sequence[Path]], form: Format, division: SplitOptions
) -> dict[str, list[Example]]:
    """Returns the questions of each split, with their article as the group if `division.group` is "title".

    Raises:
        DataError: A file cannot be read or has no questions, `division` has a time or a group other than "title", or
            the test split has no answers although train has.
    """
    if division.time or division.group not in ("", "title"):
        file = next(iter(files.values()))[0]
        option = "time=" if division.time else f"group={division.group}"
        raise DataError(f"{file}: {option} has no effect on questions, whose groups are those of group=title")
    splits = {split: questions_of(some, by_article=bool(division.group)) for split, some in files.items()}
    if "test" in splits and _has_answers(splits["train"]) and not _has_answers(splits["test"]):
        other = "validation" if form.scheme == "hub" else "..."
        raise DataError(f"{files['test'][0]}: no question has an answer; [test={other}] tests on another split")
    return splits


def _has_answers(examples: Sequence[Example]) -> bool:
    return any(example.target for example in examples)
