"""The rows of a task's files, by scheme."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from tlbench import DataError, Example
from tlbench_data.readers import Row, conll, delimited, json_lines, json_list, parquet, squad, table
from tlbench_data.readers.text_lines import decoded


@dataclass(frozen=True)
class Format:
    """How files are read."""

    scheme: str
    header: bool = True
    quotes: bool = True
    encoding: str = "utf-8"


def rows_of(files: Sequence[Path], form: Format) -> list[Row]:
    """Returns the rows of the files, in order.

    Raises:
        DataError: Not readable, or no row.
    """
    found = list(chain.from_iterable(_reader(form)(file) for file in files))
    if not found:
        raise DataError(f"{files[0]}: it has no row")
    return found


def questions_of(files: Sequence[Path]) -> list[Example]:
    """Returns the questions of SQuAD files under their own ids.

    Raises:
        DataError: Not readable, or no question.
    """
    items = list(chain.from_iterable(squad(file) for file in files))
    if not items:
        raise DataError(f"{files[0]}: it has no question")
    return [Example(item.id, (item.question, item.context), item.answers) for item in items]


def _reader(form: Format) -> Callable[[Path], Iterator[Row]]:
    readers: dict[str, Callable[[Path], Iterator[Row]]] = {
        "csv": lambda file: delimited(file, quotes=form.quotes, header=form.header, encoding=form.encoding),
        "tsv": lambda file: delimited(file, "\t", quotes=form.quotes, header=form.header, encoding=form.encoding),
        "jsonl": lambda file: _json(file, form.encoding),
        "parquet": lambda file: parquet(file, named=True),
        "conll": lambda file: conll(file, encoding=form.encoding),
        "hub": lambda file: table(file, named=True),
    }
    return readers[form.scheme]


def _json(file: Path, encoding: str) -> Iterator[Row]:
    # A list in one piece is called .json too.
    return json_list(file) if decoded(file, encoding).lstrip()[:1] == "[" else json_lines(file, encoding)
