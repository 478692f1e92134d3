"""Reads the rows of a task's files by the scheme of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tlbench import DataError, Example
from tlbench_data.own.word_files import USUAL_COLUMNS, WordColumns, conll_rows
from tlbench_data.readers import Row, delimited, json_lines, json_list, parquet, squad, table
from tlbench_data.readers.text_lines import decoded


@dataclass(frozen=True)
class Format:
    """How files are read."""

    scheme: str
    header: bool = True
    quotes: bool = True
    encoding: str = "utf-8"
    words: WordColumns = USUAL_COLUMNS
    """Columns of `conll` files."""
    sentence: str = ""
    """Column of the sentences, in tables with a word on each row."""


def rows_of(files: Sequence[Path], form: Format) -> list[Row]:
    """Returns the rows of the files, in order.

    Raises:
        DataError: A file cannot be read, or there are no rows.
    """
    rows = list(chain.from_iterable(_reader(form)(file) for file in files))
    return _checked(rows, files)


def sentences_in(files: Sequence[Path], form: Format) -> tuple[list[Row], int]:
    """Returns the sentences of CoNLL files, in order, and the number of comment lines that were left out.

    Raises:
        DataError: A file cannot be read, or there are no sentences.
    """
    parts = [conll_rows(file, form.words, form.encoding) for file in files]
    return _checked([row for rows, _ in parts for row in rows], files), sum(comments for _, comments in parts)


def _checked(rows: list[Row], files: Sequence[Path]) -> list[Row]:
    if not rows:
        raise DataError(f"{files[0]}: the file has no rows")
    return rows


def questions_of(files: Sequence[Path]) -> list[Example]:
    """Returns the questions of SQuAD files, with their own ids.

    Raises:
        DataError: A file cannot be read, or there are no questions.
    """
    items = list(chain.from_iterable(squad(file) for file in files))
    if not items:
        raise DataError(f"{files[0]}: the file has no questions")
    return [Example(item.id, (item.question, item.context), item.answers) for item in items]


def _reader(form: Format) -> Callable[[Path], Iterator[Row]]:
    readers: dict[str, Callable[[Path], Iterator[Row]]] = {
        "csv": lambda file: delimited(file, quotes=form.quotes, header=form.header, encoding=form.encoding),
        "tsv": lambda file: delimited(file, "\t", quotes=form.quotes, header=form.header, encoding=form.encoding),
        "jsonl": lambda file: _json(file, form.encoding),
        "parquet": lambda file: parquet(file, named=True),
        "hub": lambda file: table(file, named=True),
    }
    return readers[form.scheme]


def _json(file: Path, encoding: str) -> Iterator[Row]:
    # Both a JSON list and JSON lines are published as .json.
    return json_list(file) if decoded(file, encoding).lstrip()[:1] == "[" else json_lines(file, encoding)
