"""Reads the rows of a task's files by the scheme of its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tlbench import DataError, Example
from tlbench_data.readers import (
    DELIMITERS,
    Row,
    delimited,
    found_delimiter,
    json_lines,
    json_table,
    parallel,
    parquet,
    squad,
)
from tlbench_data.readers.rows import listed, shown
from tlbench_data.words.word_files import USUAL_COLUMNS, WordColumns, conll_rows

_FORMATS = {
    "header": ("csv",),
    "quotes": ("csv",),
    "delimiter": ("csv",),
    "field": ("jsonl",),
    "encoding": ("csv", "jsonl"),
}
"""Maps an option to the formats of a hub repository's tables that it has an effect on."""


@dataclass(frozen=True)
class Format:
    """How files are read."""

    scheme: str
    header: bool = True
    quotes: bool = True
    encoding: str = "utf-8"
    delimiter: str = ""
    """Separates columns; found from the first lines if empty."""
    field: str = ""
    """Field that contains the rows, if a file is one JSON object."""
    words: WordColumns = USUAL_COLUMNS
    """Columns of `conll` files."""
    sentence: str = ""
    """Column of the sentences, in tables with a word on each row."""


def rows_of(files: Sequence[Path], form: Format) -> tuple[list[Row], list[str]]:
    """Returns the rows of the files, in order, and notes on their layout.

    For the scheme `parallel`, the two files are the source and the target.

    Raises:
        DataError: A file cannot be read, or there are no rows.
    """
    if form.scheme == "parallel":
        source, target = files
        return _checked(list(parallel(source, target, form.encoding)), files), []
    if form.scheme == "hub":
        _check_formats(files, form)
    tables = [_reader(form)(file) for file in files]
    notes = list(dict.fromkeys(note for _, note in tables if note))
    return _checked([row for rows, _ in tables for row in rows], files), notes


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


def questions_of(files: Sequence[Path], *, by_article: bool = False) -> list[Example]:
    """Returns the questions of SQuAD files, with their own ids and, if `by_article`, their article as the group.

    Raises:
        DataError: A file cannot be read or there are no questions, two questions have one id, or `by_article` is
            true and an article has no title.
    """
    items = list(chain.from_iterable(squad(file) for file in files))
    if not items:
        raise DataError(f"{files[0]}: the file has no questions")
    # Ids must be unique, because predictions are matched to questions by them.
    identity, count = Counter(item.id for item in items).most_common(1)[0]
    if count > 1:
        raise DataError(
            f"{files[0]}: {count} questions have the id {shown(identity)}; give every question one of its own"
        )
    if by_article and (without := [item for item in items if not item.article]):
        raise DataError(
            f"{files[0]}: group=title: {len(without)} of {len(items)} questions have no title, such as {without[0].id}"
        )
    return [
        Example(item.id, (item.question, item.context), item.answers, group=item.article if by_article else "")
        for item in items
    ]


def _reader(form: Format) -> Callable[[Path], tuple[Iterable[Row], str]]:
    readers: dict[str, Callable[[Path], tuple[Iterable[Row], str]]] = {
        "csv": lambda file: _delimited(file, ",", form),
        "tsv": lambda file: _delimited(file, "\t", form),
        "jsonl": lambda file: json_table(file, form.encoding, form.field),
        "parquet": lambda file: (parquet(file, named=True), ""),
    }
    # A repository has tables of any format.
    return readers[form.scheme] if form.scheme != "hub" else lambda file: readers[hub_format(file)](file)


def hub_format(file: Path) -> str:
    """Returns the scheme that reads a table of a hub repository, by its suffix."""
    suffix = file.suffix.lower()
    return "parquet" if suffix == ".parquet" else "csv" if suffix == ".csv" else "jsonl"


def _check_formats(files: Sequence[Path], form: Format) -> None:
    """Refuses options that only have an effect on formats that none of the files has."""
    there = {hub_format(file) for file in files}
    defaults = Format(form.scheme)
    for option, formats in _FORMATS.items():
        if getattr(form, option) != getattr(defaults, option) and not there & set(formats):
            raise DataError(f"{files[0]}: {option}= is for {' and '.join(formats)} tables; leave it out")


def first_row(file: Path, form: Format) -> Row | None:
    """Returns the first row of a table, if it has one.

    Raises:
        DataError: The file cannot be read.
    """
    # Only the first row of JSON lines and Parquet is read.
    rows: Iterable[Row] = json_lines(file, form.encoding) if file.suffix == ".jsonl" else _reader(form)(file)[0]
    return next(iter(rows), None)


def _delimited(file: Path, usual: str, form: Format) -> tuple[Iterable[Row], str]:
    delimiter = form.delimiter or found_delimiter(
        file, usual, quotes=form.quotes, header=form.header, encoding=form.encoding
    )
    rows = list(delimited(file, delimiter, quotes=form.quotes, header=form.header, encoding=form.encoding))
    if form.delimiter and rows and len(rows[0].values) == 1:
        raise DataError(f"{file}: delimiter={form.delimiter!r} gives the one column {listed(rows[0].values)}")
    is_guess = not form.delimiter and delimiter != usual
    return rows, f"columns separated by {DELIMITERS[delimiter]}" if is_guess else ""
