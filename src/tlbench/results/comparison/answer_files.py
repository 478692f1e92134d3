"""Reads the answers of other programs: tables of ids and answers or outcomes, and lists of the ids that were solved.

A file is a CSV table or JSON lines with a column of ids and a column of answers, outcomes or both; or a list of solved
ids: a JSON array, an object with the key "resolved", or one id on each line. Files come from anywhere: sizes are
limited, and every mistake is one line with the file and the row.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlbench.contracts.errors import DataError
from tlbench.contracts.untrusted.regular_files import read_regular_file

IDS = ("id", "instance_id", "example_id", "question_id", "task_id", "doc_id", "row")
OUTCOMES = ("correct", "resolved", "solved", "passed", "exact_match", "acc")
ANSWERS = ("answer", "prediction", "predicted", "value")
TARGETS = ("target", "label", "gold", "reference")
"""Names of the columns, in order of preference."""
_SOLVED = ("resolved", "resolved_ids", "solved")
"""Keys of a JSON object that hold a list of solved ids."""
_RIGHT = {"1": True, "1.0": True, "true": True, "yes": True, "0": False, "0.0": False, "false": False, "no": False}
_MAX_BYTES = 2**28
_MAX_FIELD = 2**20
_SHOWN = 200
"""Maximum number of characters of names of columns in a message."""
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
"""The ends of lines of text files; texts may have others, such as U+2028, which `str.splitlines` would split at."""


@dataclass(frozen=True)
class AnswerFile:
    """What a file says about examples; each sequence is in the order of `ids`."""

    path: Path
    ids: tuple[str, ...]
    answers: tuple[str, ...] | None = None
    correct: tuple[bool, ...] | None = None
    targets: tuple[str, ...] | None = None
    is_solved_list: bool = False
    """Whether the ids are those of solved examples alone, so that the file does not say which others there are."""


def read_answers(path: Path) -> AnswerFile:
    """Returns the content of a file of answers.

    Raises:
        DataError: The file cannot be read, has another form, or has an id twice.
    """
    try:
        text = read_regular_file(path, _MAX_BYTES, links="followed").decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text at byte {error.start}: save it as UTF-8") from None
    if path.suffix.lower() in {".csv", ".tsv"}:
        return _from_rows(path, _table_rows(path, text), first_row=2)
    content = _json_content(path, text)
    if content is None:
        lines = [line.strip() for line in _LINE_ENDS.split(text)]
        return _solved(path, [line for line in lines if line])
    return _from_json(path, content)


def _table_rows(path: Path, text: str) -> Sequence[Mapping[str, str]]:
    csv.field_size_limit(_MAX_FIELD)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [str(name).strip().lower() for name in reader.fieldnames or ()]
        twice = next((name for place, name in enumerate(names) if name and name in names[:place]), None)
        if twice is not None:
            raise DataError(f"{path}: two columns {twice}: keep one")
        reader.fieldnames = names
        rows = list(reader)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not a table: {error}") from None
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise DataError(f"{path}, row {number}: more values than columns: put values with a comma in quotes")
        if None in row.values():
            raise DataError(f"{path}, row {number}: fewer values than columns")
    return rows


def _json_content(path: Path, text: str) -> Any:
    """Returns the value of a JSON file, or the list of the values of JSON lines; None if it is plain text."""
    start = text.lstrip()[:1]
    if start not in {"[", "{", '"'}:
        return None
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        failed = error
    lines = [(number, line) for number, line in enumerate(_LINE_ENDS.split(text), start=1) if line.strip()]
    values = []
    for number, line in lines:
        try:
            values.append(json.loads(line, object_pairs_hook=_unique))
        except (ValueError, RecursionError) as error:
            if path.suffix.lower() == ".json" or number == lines[0][0]:
                raise DataError(f"{path}: not JSON: {failed}") from None
            raise DataError(f"{path}, line {number}: not JSON: {error}") from None
    return values


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the members of a JSON object, of which `json.loads` alone would keep the last of each name."""
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} occurs twice: keep one")
    return members


def _from_json(path: Path, content: Any) -> AnswerFile:
    if isinstance(content, dict):
        for key in _SOLVED:
            if isinstance(content.get(key), list):
                # Under its key an empty list says that nothing was solved; a file without content says nothing.
                return _solved(path, content[key]) if content[key] else AnswerFile(path, (), is_solved_list=True)
        content = [{"id": name, **_outcome(value)} for name, value in content.items()]
    if not isinstance(content, list) or not content:
        raise DataError(f"{path}: neither a list nor an object of examples, or empty")
    if all(isinstance(row, dict) for row in content):
        rows = [{str(key).lower(): value for key, value in row.items()} for row in content]
        return _from_rows(path, rows, first_row=1)
    return _solved(path, content)


def _outcome(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"correct": value}


def _solved(path: Path, ids: Iterable[Any]) -> AnswerFile:
    return AnswerFile(path, _names(path, ids, first_row=1), is_solved_list=True)


def _from_rows(path: Path, rows: Sequence[Mapping[str, Any]], first_row: int) -> AnswerFile:
    if not rows:
        raise DataError(f"{path}: no rows")
    columns = {key for row in rows for key in row}
    key = _first(IDS, columns)
    if key is None:
        raise DataError(
            f"{path}: no column of ids among {', '.join(sorted(columns))[:_SHOWN]}: name it {IDS[0]} (or"
            f" {', '.join(IDS[1:])}), and separate columns by commas, or by tabs in a .tsv file"
        )
    ids = _names(path, [row.get(key, "") for row in rows], first_row)
    outcome, answer, target = (_first(names, columns) for names in (OUTCOMES, ANSWERS, TARGETS))
    if outcome is None and answer is None and target is None:
        if columns == {key}:
            return AnswerFile(path, ids, is_solved_list=True)
        raise DataError(f"{path}: no answers: name a column {ANSWERS[0]}, or {OUTCOMES[0]} with 1 and 0")
    return AnswerFile(
        path,
        ids,
        None if answer is None else tuple(_text(row.get(answer)) for row in rows),
        None if outcome is None else tuple(
            _is_right(path, row.get(outcome), outcome, number) for number, row in enumerate(rows, start=first_row)
        ),
        None if target is None else tuple(_text(row.get(target)) for row in rows),
    )  # fmt: skip


def _first(names: Sequence[str], columns: Iterable[str]) -> str | None:
    present = {*columns}
    return next((name for name in names if name in present), None)


def _names(path: Path, values: Iterable[Any], first_row: int) -> tuple[str, ...]:
    rows: dict[str, int] = {}
    for number, value in enumerate(values, start=first_row):
        name = _text(value)
        if not name or isinstance(value, dict | list):
            raise DataError(f"{path}, row {number}: no id")
        if name in rows:
            raise DataError(f"{path}, row {number}: the id {name!r} is that of row {rows[name]} too: keep one")
        rows[name] = number
    if not rows:
        raise DataError(f"{path}: no ids")
    return tuple(rows)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _is_right(path: Path, value: Any, column: str, number: int) -> bool:
    known = _RIGHT.get(_text(value).lower())
    if known is None:
        raise DataError(f"{path}, row {number}: {column} is {_text(value)!r}: write 1 or 0, or true or false")
    return known
