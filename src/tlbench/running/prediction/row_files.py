"""Reads rows of new data one by one from CSV, TSV, JSON lines, Parquet, lines of text, or a folder of images.

Nothing is read ahead, so a file may be larger than memory. A row that is damaged is yielded with the reason, and
reading goes on behind it.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

from tlbench.contracts.errors import DataError
from tlbench.contracts.images.image_file import ImageFile
from tlbench.contracts.untrusted.parquet_files import ParquetProblem, parquet_errors, parquet_file
from tlbench.contracts.untrusted.regular_files import open_regular

_DELIMITERS = (",", ";", "\t", "|")
_LONGEST_FIELD = 2**24
"""Largest number of characters of one field: behind an unclosed quotation mark, a field would hold the whole file."""
_BATCH = 1024


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row of a file."""

    number: int
    """From 1; a header does not count."""
    values: dict[str, Any]
    """The values by column; in part or empty if the row is damaged."""
    problem: str = ""
    """Why the row cannot be read, in one line; empty if it can."""


@dataclass(frozen=True)
class RowFile:
    """An opened file of rows; read `rows` once."""

    columns: tuple[str, ...]
    rows: Iterator[InputRow]
    share: Callable[[], float] = field(repr=False)
    """Returns the share of the file that has been read, from 0 to 1."""
    folder: Path
    """The folder that relative paths in the rows start from."""
    close: Callable[[], None] = lambda: None


def open_rows(path: Path) -> RowFile:
    """Opens a file or a folder of images.

    Raises:
        DataError: There is no such file, it has no rows or an unusable header, or its format is not known.
    """
    if path.is_dir():
        return _images(path)
    if path.exists() and not path.is_file():
        raise DataError(f"{path}: is no regular file")
    readers: dict[str, Callable[[Path], RowFile]] = {
        ".csv": _delimited, ".tsv": _delimited, ".jsonl": _json_lines, ".parquet": _parquet, ".txt": _lines,
    }  # fmt: skip
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: not one of {', '.join(readers)}, nor a folder of images")
    try:
        return reader(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _text(path: Path) -> tuple[IO[str], Callable[[], float], Callable[[], None]]:
    """Returns a text file, a function that returns the share that was read, and one that closes the file.

    Bytes that are not UTF-8 become surrogates, which are found later, in the rows that have them.

    Raises:
        DataError: The file begins with the mark of UTF-16.
    """
    raw = io.BufferedReader(open_regular(path, links="followed"), 2**16)
    size = max(1, os.fstat(raw.fileno()).st_size)
    if raw.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raw.close()
        raise DataError(f"{path}: is in UTF-16: save it as UTF-8")
    # newline="" keeps line ends inside quoted fields; utf-8-sig drops the mark that spreadsheets put first.
    file = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def share() -> float:
        return 1.0 if raw.closed else min(1.0, raw.tell() / size)

    return file, share, file.close


def _delimited(path: Path) -> RowFile:
    file, share, close = _text(path)
    first = file.readline(_LONGEST_FIELD)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=first.count)
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(chain([first], file), delimiter=delimiter)
    try:
        names = tuple(name.strip() for name in next(reader, ()))
    except csv.Error as error:
        raise DataError(f"{path}: its first line is no header: {error}") from None
    _check_header(path, names)
    return RowFile(names, _numbered(_cells(reader, names)), share, path.parent, close)


def _cells(reader: Iterator[list[str]], names: Sequence[str]) -> Iterator[tuple[dict[str, Any], str]]:
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield {}, str(error)
            continue
        if fields:
            values = dict(zip(names, fields, strict=False))
            fits = len(fields) == len(names)
            yield values, "" if fits else f"{len(fields)} columns where {len(names)} are expected"


def _json_lines(path: Path) -> RowFile:
    file, share, close = _text(path)
    parsed = (_object(line) for line in _bounded(file) if line.strip())
    first = next(parsed, None)
    # The columns are those of the first row that has any.
    before = []
    while first is not None and not first[0]:
        before.append(first)
        first = next(parsed, None)
    if first is None:
        raise DataError(f"{path}: no line of it is a JSON object")
    return RowFile(tuple(first[0]), _numbered(chain(before, [first], parsed)), share, path.parent, close)


def _bounded(file: IO[str]) -> Iterator[str]:
    """Yields the lines of a file; of one without line ends, parts of limited length."""
    return iter(lambda: file.readline(_LONGEST_FIELD), "")


def _object(line: str) -> tuple[dict[str, Any], str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return {}, f"not JSON: {error}"
    return (value, "") if isinstance(value, dict) else ({}, "not a JSON object")


def _lines(path: Path) -> RowFile:
    file, share, close = _text(path)
    lines = (({"text": line.rstrip("\r\n")}, "") for line in _bounded(file))
    return RowFile(("text",), _numbered(lines), share, path.parent, close)


def _parquet(path: Path) -> RowFile:
    # Closed by the caller, or by the end of its rows.
    opening = ExitStack()
    try:
        file = opening.enter_context(parquet_file(path, "followed", texts_as_indices=True))
    except ParquetProblem as error:
        raise DataError(f"{path}: not a Parquet file that can be read: {error}") from None
    names, count = tuple(file.schema.names), max(1, file.rows)
    _check_header(path, names)
    read = [0]

    def values() -> Iterator[tuple[dict[str, Any], str]]:
        try:
            with parquet_errors():
                for batch in file.batches():
                    for row in batch.to_pylist():
                        read[0] += 1
                        yield row, ""
        except ParquetProblem as error:
            yield {}, f"the rest of the file cannot be read: {error}"

    return RowFile(names, _numbered(values()), lambda: min(1.0, read[0] / count), path.parent, opening.close)


def _images(folder: Path) -> RowFile:
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in ImageFile.suffixes and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise DataError(f"{folder}: no images in it ({', '.join(sorted(ImageFile.suffixes))})")
    read = [0]

    def values() -> Iterator[tuple[dict[str, Any], str]]:
        for name in found:
            read[0] += 1
            yield {"path": name}, ""

    return RowFile(("path",), _numbered(values()), lambda: read[0] / len(found), folder)


def _numbered(rows: Iterator[tuple[dict[str, Any], str]]) -> Iterator[InputRow]:
    for number, (values, problem) in enumerate(rows, 1):
        yield InputRow(number, values, problem)


def _check_header(path: Path, names: Sequence[str]) -> None:
    if not any(names):
        raise DataError(f"{path}: its first line names no columns")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"{path}: two columns are called {twice!r}")
