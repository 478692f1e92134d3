"""Reads SQuAD's JSON, versions 1.1 and 2.0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlbench import Answer, DataError
from tlbench_data.readers.row_tables import load_json
from tlbench_data.readers.rows import shown, unpaired_surrogate


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a paragraph."""

    id: str
    article: str
    question: str
    context: str
    answers: tuple[Answer, ...]
    """Distinct accepted answers; empty where the context has none."""


def squad(path: Path) -> Iterator[Question]:
    """Yields the questions of a file in order.

    Raises:
        DataError: The file cannot be read or is not SQuAD's JSON, or an answer is not at its position.
    """
    try:
        articles = load_json(path)["data"]
        for article in articles:
            for paragraph in article["paragraphs"]:
                for item in paragraph["qas"]:
                    yield _question(path, str(article.get("title", "")), paragraph["context"], item)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not in SQuAD's format: {type(error).__name__} {error}") from None


def answers_in(context: str, answers: list[tuple[str, int]], where: str) -> tuple[Answer, ...]:
    """Returns the distinct answers.

    Raises:
        DataError: An answer is empty, or not at its position in the context.
    """
    for text, start in answers:
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: an answer is empty")
        if not isinstance(start, int) or start < 0 or context[start : start + len(text)] != text:
            actual = context[start : start + len(text)] if isinstance(start, int) else start
            raise DataError(f"{where}: answer_start {start} points at {shown(actual)}, not at {shown(text)}")
    # dict.fromkeys keeps the order; annotators often gave the same answer.
    return tuple(dict.fromkeys(Answer(text, start) for text, start in answers))


def _question(path: Path, article: str, context: Any, item: dict[str, Any]) -> Question:
    identity = str(item["id"])
    if unpaired_surrogate(identity):
        raise DataError(f"{path}: the id {shown(identity)} contains an unpaired surrogate")
    where = f"{path}, question {identity}"
    question = item["question"]
    for name, text in (("question", question), ("context", context)):
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: the {name} is empty")
        if surrogate := unpaired_surrogate(text):
            raise DataError(f"{where}: the {name} contains an unpaired surrogate ({surrogate})")
    given = (
        [] if item.get("is_impossible") else [(answer["text"], answer["answer_start"]) for answer in item["answers"]]
    )
    # The context is not stripped: answers are positions in it.
    return Question(identity, article, question.strip(), context, answers_in(context, given, where))
