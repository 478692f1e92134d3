"""SQuAD's JSON, versions 1.1 and 2.0: articles of paragraphs with questions and answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlbench import Answer, DataError
from tlbench_data.readers.row_tables import load_json
from tlbench_data.readers.rows import half_character, shown


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a paragraph."""

    id: str
    article: str
    question: str
    context: str
    answers: tuple[Answer, ...]
    """Each once; none where the context does not answer."""


def squad(path: Path) -> Iterator[Question]:
    """Yields the questions of a file in its order.

    Raises:
        DataError: Not readable, not of this form, or an answer that does not stand where the file says.
    """
    try:
        articles = load_json(path)["data"]
        for article in articles:
            for paragraph in article["paragraphs"]:
                for item in paragraph["qas"]:
                    yield _question(path, str(article.get("title", "")), paragraph["context"], item)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: not in the form of SQuAD: {type(error).__name__} {error}") from None


def answers_in(context: str, found: list[tuple[str, int]], where: str) -> tuple[Answer, ...]:
    """Returns the answers, each once.

    Raises:
        DataError: One is empty, or does not stand where it is said to.
    """
    for text, start in found:
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: an answer is empty")
        if not isinstance(start, int) or start < 0 or context[start : start + len(text)] != text:
            there = context[start : start + len(text)] if isinstance(start, int) else start
            raise DataError(f"{where}: answer_start {start} points at {shown(there)}, not at {shown(text)}")
    return tuple(dict.fromkeys(Answer(text, start) for text, start in found))


def _question(path: Path, article: str, context: Any, item: dict[str, Any]) -> Question:
    identity = str(item["id"])
    if half_character(identity):
        raise DataError(f"{path}: the id {shown(identity)} holds half a character")
    where = f"{path}, question {identity}"
    question = item["question"]
    for name, text in (("question", question), ("context", context)):
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: the {name} is empty")
        if half := half_character(text):
            raise DataError(f"{where}: the {name} holds half a character ({half})")
    given = (
        [] if item.get("is_impossible") else [(answer["text"], answer["answer_start"]) for answer in item["answers"]]
    )
    return Question(identity, article, question.strip(), context, answers_in(context, given, where))
