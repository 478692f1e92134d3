"""Reads extractive questions: SQuAD's JSON (1.1 and 2.0), and the flat rows in which the hub publishes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlbench import Answer, DataError
from tlbench_data.readers.row_tables import json_lines, load_json, parquet
from tlbench_data.readers.rows import Row, listed, shown, unpaired_surrogate
from tlbench_data.readers.text_lines import decoded

_ARTICLE = "an object with paragraphs, each with a context and qas"


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a paragraph."""

    id: str
    article: str
    question: str
    context: str
    answers: tuple[Answer, ...]
    """Distinct accepted answers; empty if the context does not answer the question."""


def squad(path: Path) -> Iterator[Question]:
    """Yields the questions of a file in order.

    The file is SQuAD's JSON, or has rows with id, context, question and answers as JSON lines, a JSON list or Parquet.

    Raises:
        DataError: The file cannot be read or has none of these forms, or an answer is not at its position.
    """
    if path.suffix == ".parquet":
        yield from _flat_questions(parquet(path))
        return
    if _is_json_lines(path):
        yield from _flat_questions(json_lines(path))
        return
    document = load_json(path)
    # The hub's library wraps flat rows in {"data": [...]} too.
    items = document.get("data") if isinstance(document, dict) else document
    if not isinstance(items, list) or document == []:
        keys = f"its keys are {listed(document)}" if isinstance(document, dict) else f"it is {shown(document)}"
        raise DataError(f'{path}: not in SQuAD\'s format, {{"data": [articles]}}: {keys}')
    if items and all(isinstance(item, dict) and "answers" in item for item in items):
        yield from _flat_questions(Row(path, number, item, "row") for number, item in enumerate(items, 1))
        return
    for number, article in enumerate(items, 1):
        yield from _article(article, path, f"{path}, article {number}")


def answers_in(context: str, answers: list[tuple[str, int]], where: str) -> tuple[Answer, ...]:
    """Returns the distinct answers.

    Raises:
        DataError: An answer is empty, or not at its position in the context.
    """
    for text, start in answers:
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: an answer is empty")
        # bool is a subclass of int.
        if not isinstance(start, int) or isinstance(start, bool):
            advice = "; write the number without quotation marks" if isinstance(start, str) else ""
            raise DataError(f"{where}: answer_start is {shown(start)}, not a whole number{advice}")
        if start < 0 or context[start : start + len(text)] != text:
            actual = context[start : start + len(text)] if start >= 0 else ""
            raise DataError(f"{where}: answer_start {start} points at {shown(actual)}, not at {shown(text)}")
    # dict.fromkeys keeps the order; annotators often gave the same answer.
    return tuple(dict.fromkeys(Answer(text, start) for text, start in answers))


def _is_json_lines(path: Path) -> bool:
    if path.suffix == ".jsonl" or path.name.endswith(".jsonl.gz"):
        return True
    # JSON lines are published as .json too; SQuAD's own files are one object, mostly on one line.
    first, _, rest = decoded(path).strip().partition("\n")
    return first.startswith("{") and first.rstrip().endswith("}") and rest.lstrip().startswith("{")


def _flat_questions(rows: Iterator[Row]) -> Iterator[Question]:
    for row in rows:
        where = f"{row.path}, {row.unit} {row.number}"
        item = dict(row.values)
        article = str(item.get("title") or "")
        yield _question(item, article, item.get("context"), f"{row.path}, question", where)


def _article(article: Any, path: Path, where: str) -> Iterator[Question]:
    title = str(article.get("title", "")) if isinstance(article, dict) else ""
    for index, paragraph in enumerate(_list_in(article, "paragraphs", _ARTICLE, where), 1):
        inside = f"{where}, paragraph {index}"
        for number, item in enumerate(_list_in(paragraph, "qas", "an object with context and qas", inside), 1):
            here = f"{inside}, question {number}"
            if not isinstance(item, dict):
                raise DataError(f"{here}: {shown(item)} is not an object with id, question and answers")
            yield _question(item, title, paragraph.get("context"), f"{path}, question", here)


def _list_in(item: Any, key: str, expected: str, where: str) -> list[Any]:
    if not isinstance(item, dict):
        raise DataError(f"{where}: not in SQuAD's format: {shown(item)} is not {expected}")
    if key not in item:
        raise DataError(f"{where}: not in SQuAD's format: no {key!r} among {listed(item)}; expected is {expected}")
    items = item[key]
    if not isinstance(items, list):
        raise DataError(f"{where}: not in SQuAD's format: {key} is {shown(items)}, not a list")
    return items


def _question(item: dict[str, Any], article: str, context: Any, prefix: str, position: str) -> Question:
    """Returns a checked question; error messages begin with `prefix` and its id, or `position` if the id is invalid."""
    identity = item.get("id")
    if isinstance(identity, bool) or not isinstance(identity, str | int) or not str(identity).strip():
        what = f"its id is {shown(identity)}" if "id" in item else "it has no id"
        raise DataError(f"{position} ({shown(item.get('question'))}): {what}; give every question one of its own")
    if unpaired_surrogate(str(identity)):
        raise DataError(f"{position}: the id {shown(identity)} contains an unpaired surrogate")
    where = f"{prefix} {identity}"
    question = item.get("question")
    for name, text in (("question", question), ("context", context)):
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: the {name} is {'empty' if not text or isinstance(text, str) else shown(text)}")
        if surrogate := unpaired_surrogate(text):
            raise DataError(f"{where}: the {name} contains an unpaired surrogate ({surrogate})")
        if "\0" in text:
            raise DataError(f"{where}: the {name} has a NUL character: the file is damaged, or in another encoding")
    assert isinstance(question, str)
    assert isinstance(context, str)
    # The context is not stripped: answers are positions in it.
    answers = answers_in(context, _given_answers(item, where), where)
    return Question(str(identity), article, question.strip(), context, answers)


def _given_answers(item: dict[str, Any], where: str) -> list[tuple[str, int]]:
    impossible = item.get("is_impossible")
    # The text "False" is true to Python, and would drop every answer.
    if impossible is not None and not isinstance(impossible, bool):
        raise DataError(f"{where}: is_impossible is {shown(impossible)}, not true or false (without quotation marks)")
    answers = item.get("answers")
    if answers is None and impossible:
        return []
    if isinstance(answers, dict):
        pairs = _flat_answers(answers, where)
    elif isinstance(answers, list):
        pairs = [_listed_answer(answer, where) for answer in answers]
    else:
        what = f"answers is {shown(answers)}" if "answers" in item else "it has no answers"
        raise DataError(f"{where}: {what}; expected is a list of objects with text and answer_start")
    if impossible and pairs:
        raise DataError(f"{where}: is_impossible is true, but there is the answer {shown(pairs[0][0])}; remove one")
    return pairs


def _flat_answers(answers: dict[str, Any], where: str) -> list[tuple[str, int]]:
    texts, starts = answers.get("text"), answers.get("answer_start")
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        raise DataError(f"{where}: answers is {shown(answers)}, not a list of texts and as many of answer_start")
    return list(zip(texts, starts, strict=True))


def _listed_answer(answer: Any, where: str) -> tuple[str, int]:
    for key in ("text", "answer_start"):
        if not isinstance(answer, dict) or key not in answer:
            raise DataError(f"{where}: the answer {shown(answer)} has no {key}")
    return answer["text"], answer["answer_start"]
