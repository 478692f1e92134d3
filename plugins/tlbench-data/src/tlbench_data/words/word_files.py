"""Reads files with one word on each line or row: CoNLL columns, CoNLL-U, and tables with a column of sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlbench import DataError
from tlbench_data.readers.conll import cells_of, conll
from tlbench_data.readers.rows import Row, listed, shown
from tlbench_data.readers.text_lines import lines
from tlbench_data.words.conll_comments import comment_lines

CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The columns of CoNLL-U (Nivre et al., LREC 2020), whose names `column=` may give instead of numbers."""
_CONLLU_ID = re.compile(r"\d+([-.]\d+)?")
_NO_WORD = re.compile(r"\d+[-.]\d+")
_WORDS = ("word", "words", "token", "tokens", "form", "text")
_TAGS = ("tag", "tags", "ner_tag", "ner_tags", "ner", "label", "labels")
_SENTENCES = ("sentence_id", "sentence #", "sentence_idx", "sentence_number", "sent_id", "sent_idx")


@dataclass(frozen=True)
class WordColumns:
    """The columns of words and tags in files with one word per line, and how comment lines are treated."""

    word: str = ""
    """Column of the words: a number from 0, or a name of CoNLL-U."""
    tag: str = ""
    """Column of the tags; the last if empty."""
    comments: str = ""
    """Whether to drop or keep lines that begin with #: "drop", "keep", or "" to decide by the lines themselves."""


USUAL_COLUMNS = WordColumns()


def conll_rows(path: Path, columns: WordColumns, encoding: str) -> tuple[list[Row], int]:
    """Returns the sentences of a CoNLL or CoNLL-U file, and the number of comment lines that were left out.

    Raises:
        DataError: The file cannot be read, or its columns cannot be recognised and none are given.
    """
    numbered = [(number, line) for number, line in lines(path, encoding) if line.strip()]
    if not numbered:
        return [], 0
    if _is_conllu(numbered):
        word = _number(path, columns.word, CONLLU_COLUMNS, 10, default=1)
        if not columns.tag:
            raise DataError(
                f"{path}: a CoNLL-U file: choose what to learn, as [column=upos]; "
                f"the columns are {', '.join(CONLLU_COLUMNS)}"
            )
        tag = _number(path, columns.tag, CONLLU_COLUMNS, 10, default=-1)
        comments = {number for number, line in numbered if line.startswith("#")}
        no_words = {number for number, line in numbered if _NO_WORD.fullmatch(line.partition("\t")[0])}
        return list(conll(path, word, tag, encoding, comments | no_words)), len(comments)
    plain = [cells_of(line) for _, line in numbered if not line.startswith("#")] or [cells_of(numbered[0][1])]
    width = len(plain[0])
    word = _number(path, columns.word, (), width, default=0)
    tag = _number(path, columns.tag, (), width, default=-1)
    comments = comment_lines(path, lines(path, encoding), tag, width, columns.comments)
    rows = list(conll(path, word, tag, encoding, comments))
    if not columns.word and width > 2 and _counts_words(rows):
        raise DataError(
            f"{path}: the first of the {width} columns numbers the words: choose the columns of words and tags, "
            "counted from 0, as [text=1,column=2]"
        )
    return rows, len(comments)


def sentences_of(rows: Sequence[Row], sentence: str, word: str, tag: str) -> list[Row]:
    """Returns a row, with only words and tags, for each sentence of a table that has a word on each row.

    Adjacent rows with the same value in the column `sentence`, or with none after the first, are one sentence.

    Raises:
        DataError: There is no such column, or a sentence continues after the rows of another one.
    """
    first = rows[0]
    first.value(sentence)
    word = word or _usual(first, _WORDS, "text", "words", {sentence, tag})
    tag = tag or _usual(first, _TAGS, "label", "tags", {sentence, word})
    groups: list[list[Row]] = []
    seen: set[str] = set()
    current = ""
    for row in rows:
        value = row.value(sentence)
        # Spreadsheets often number only the first word of a sentence; NaN is not equal to itself.
        name = current if value is None or value != value or not str(value).strip() else str(value).strip()
        if not name:
            raise row.error(f"{sentence} is empty on the first row")
        if name != current:
            if name in seen:
                raise row.error(f"sentence {shown(name)} goes on after others: sort the rows by {sentence}")
            seen.add(name)
            groups.append([])
        current = name
        groups[-1].append(row)
    joined = []
    for group in groups:
        head = group[0]
        if other := next((row for row in group if (row.group, row.time) != (head.group, head.time)), None):
            raise other.error("the group or time changes within a sentence")
        words = tuple(row.text(word) for row in group)
        tags = tuple(_tag(row, tag) for row in group)
        joined.append(Row(head.path, head.number, {word: words, tag: tags}, head.unit, head.group, head.time))
    return joined


def check_no_words(rows: Sequence[Row], text: str, label: str) -> None:
    """Checks that a table that is read as texts with classes does not hold sentences with a word on each row.

    Raises:
        DataError: It may hold such sentences; the message says how to choose.
    """
    usual = [name for name in rows[0].values if name.casefold() in _SENTENCES and name not in (text, label)]
    labels = {row.value(label) for row in rows if isinstance(row.value(label), str)}
    has_tags = "O" in labels and any(name.startswith("B-") for name in labels)
    one_word = all(isinstance(row.value(text), str) and len(row.value(text).split()) == 1 for row in rows)
    if one_word and (has_tags or usual):
        column = usual[0] if usual else "..."
        raise DataError(
            f"{rows[0].path}: every row has one word: set sentence={column} to join the words of a sentence and learn "
            "their tags, or kind=classes to classify each word alone"
        )


def _tag(row: Row, column: str) -> Any:
    value = row.value(column)
    return value if isinstance(value, int) and not isinstance(value, bool) else row.text(column)


def _usual(row: Row, names: Sequence[str], option: str, what: str, taken: set[str]) -> str:
    by_name = {name.casefold(): name for name in row.values if name not in taken}
    found = next((by_name[name] for name in names if name in by_name), "")
    if not found:
        raise DataError(f"{row.path}: name the column of {what}, as [{option}=...]; there are {listed(row.values)}")
    return found


def _is_conllu(numbered: Sequence[tuple[int, str]]) -> bool:
    rows = [line.split("\t") for _, line in numbered if not line.startswith("#")]
    return bool(rows) and all(len(row) == 10 and _CONLLU_ID.fullmatch(row[0]) for row in rows)


def _number(path: Path, text: str, names: Sequence[str], width: int, *, default: int) -> int:
    """Returns the number of a column that is given as a number or name."""
    if not text:
        return default
    if text in names:
        return names.index(text)
    # Negative numbers count from the end: -1 is the last column.
    if not re.fullmatch(r"-?\d{1,6}", text) or not -width <= int(text) < width:
        known = f" or {', '.join(names)}" if names else ""
        raise DataError(f"{path}: no column {text!r}: choose a number from 0 to {width - 1}{known}")
    return int(text)


def _counts_words(rows: Sequence[Row]) -> bool:
    sentences = [row.texts("words") for row in rows]
    counted = all(words == tuple(str(number) for number in range(1, len(words) + 1)) for words in sentences)
    return counted and any(len(words) > 1 for words in sentences)
