"""Turns two sides of right and wrong answers, of which at least one is a file, into predictions for a paired test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np

from tlbench.contracts.errors import UsageError
from tlbench.results.comparison.answer_files import AnswerFile
from tlbench.results.comparison.right_answers import accepted_answers, from_outcomes, right_answers
from tlbench.results.stats import CellPredictions

RightAnswers = Mapping[str, Set[str]]
"""By example id, the texts that count as right."""
_UNNAMED = "\0unsolved "
"""Beginning of the ids of examples that neither of two lists of solved examples names."""


def gold_of(*files: AnswerFile | None) -> RightAnswers | None:
    """Returns the right answers that the first of these files with a column of targets, or of answers, has."""
    for file in files:
        if file is not None and file.targets is not None:
            return {name: {text} for name, text in zip(file.ids, file.targets, strict=True)}
    return None


def gold_in(file: AnswerFile) -> RightAnswers:
    """Returns the right answers in a file that has nothing else.

    Raises:
        UsageError: The file has neither targets nor answers.
    """
    texts = file.targets or file.answers
    if texts is None:
        raise UsageError(f"--gold {file.path}: it has no answers: name a column target")
    return {name: {text} for name, text in zip(file.ids, texts, strict=True)}


def gold_in_cell(predictions: CellPredictions, classes: Sequence[str]) -> RightAnswers | None:
    """Returns the right answers to a cell's test examples; None if they are neither classes nor texts."""
    return accepted_answers(predictions, classes)


def outcomes_of_cell(predictions: CellPredictions) -> CellPredictions | None:
    """Returns a cell's predictions as right and wrong answers; None for real numbers."""
    right = right_answers(predictions)
    return None if right is None else from_outcomes(predictions.ids, right, predictions.seeds)


def outcomes_of_file(file: AnswerFile, gold: RightAnswers | None, everything: Sequence[str] | None) -> CellPredictions:
    """Returns the right and wrong answers of a file.

    Args:
        file: The file.
        gold: The right answers, for a file without outcomes.
        everything: All example ids, for a file that lists only those it solved.

    Raises:
        UsageError: The file says too little: neither outcomes nor answers to compare with known ones; or it lists
            solved examples that do not exist.
    """
    if file.is_solved_list:
        return _solved(file, file.ids if everything is None else everything)
    if file.correct is not None:
        return from_outcomes(file.ids, np.array([file.correct]))
    if gold is None or file.answers is None:
        raise UsageError(
            f"{file.path}: nothing says which answers are right: it needs a column correct, or a column answer and"
            " known answers, in a column target or from --gold FILE"
        )
    answered = [(name, text) for name, text in zip(file.ids, file.answers, strict=True) if name in gold]
    if not answered:
        raise UsageError(f"{file.path}: none of its ids has a known answer, such as {file.ids[0]!r}: compare the ids")
    # A question without an answer accepts no text, and no answer to it is the right one.
    right = [text in gold[name] if gold[name] else not text for name, text in answered]
    return from_outcomes([name for name, _ in answered], np.array([right]))


def all_examples(first: AnswerFile, second: AnswerFile, count: int | None) -> list[str] | None:
    """Returns the ids of all examples of two lists of solved ones, and placeholders for those that neither names.

    Args:
        first: The first file.
        second: The second file.
        count: Number of all examples; None if it is unknown, and the examples are those that a file names.

    Raises:
        UsageError: There are more solved examples than examples.
    """
    if not (first.is_solved_list and second.is_solved_list):
        # The file that lists solved and unsolved examples has all of them.
        return next((list(file.ids) for file in (first, second) if not file.is_solved_list), None)
    ids = sorted({*first.ids, *second.ids})
    if not ids and count is None:
        raise UsageError(f"{first.path} and {second.path} list no solved example: --examples N gives the number of all")
    if count is not None and count < len(ids):
        raise UsageError(f"--examples {count}: the two lists have {len(ids)} different ids; give the number of all")
    return ids + [f"{_UNNAMED}{number:09}" for number in range((count or len(ids)) - len(ids))]


def _solved(file: AnswerFile, everything: Sequence[str]) -> CellPredictions:
    solved = {*file.ids}
    if unknown := solved - {*everything}:
        raise UsageError(
            f"{file.path}: {len(unknown)} of its {len(solved)} ids are not among the examples of the other side, such"
            f" as {min(unknown)!r}: compare the ids"
        )
    return from_outcomes(everything, np.array([[name in solved for name in everything]]))
