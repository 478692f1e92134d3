"""Tables: CSV, TSV, JSON lines, JSON lists and Parquet, read whole and strictly."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tlbench import DataError
from tlbench_data.readers.rows import Row, shown
from tlbench_data.readers.text_lines import decoded, lines

_FIELD_LIMIT = 2**30


def delimited(
    path: Path,
    delimiter: str = ",",
    *,
    quotes: bool = True,
    columns: Sequence[str] = (),
    header: bool = True,
    encoding: str = "utf-8",
    skip_short: bool = False,
) -> Iterator[Row]:
    """Yields the rows of a file with separated columns.

    Args:
        path: The file; a `.gz` is unpacked.
        delimiter: What stands between columns.
        quotes: Whether a quoted field may hold delimiters and line ends; GLUE's files have bare quotes instead.
        columns: Their names where there is no header.
        header: Whether the first line names the columns; without it and `columns` they are called 0, 1, ...
        encoding: Of the file.
        skip_short: Leave out rows that lack columns, as is usual for some published files.

    Raises:
        DataError: Not readable, a row with another number of columns, or a header that names one twice.
    """
    cells = _quoted(path, delimiter, encoding) if quotes else _bare(path, delimiter, encoding)
    names = list(columns)
    for number, fields in cells:
        if not names and header:
            names = [field.strip() for field in fields]
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise DataError(f"{path}, line {number}: the header names {shown(twice)} twice")
            continue
        names = names or [str(index) for index in range(len(fields))]
        if len(fields) != len(names):
            if skip_short and len(fields) < len(names):
                continue
            raise DataError(f"{path}, line {number}: {len(fields)} columns where {len(names)} are expected")
        yield Row(path, number, dict(zip(names, fields, strict=True)))


def json_lines(path: Path, encoding: str = "utf-8") -> Iterator[Row]:
    """Yields the objects of a file with one on each line; empty lines are left out.

    Raises:
        DataError: Not readable, or a line that is no JSON object.
    """
    for number, line in lines(path, encoding):
        if line.strip():
            yield Row(path, number, _object(line, f"{path}, line {number}"))


def json_list(path: Path) -> Iterator[Row]:
    """Yields the objects of a file that is one JSON list.

    Raises:
        DataError: Not readable, or no list of objects.
    """
    whole = load_json(path)
    if not isinstance(whole, list):
        raise DataError(f"{path}: not a JSON list")
    for number, item in enumerate(whole, 1):
        if not isinstance(item, dict):
            raise DataError(f"{path}, row {number}: {shown(item)} is no JSON object")
        yield Row(path, number, item, "row")


def parquet(path: Path, *, named: bool = False) -> Iterator[Row]:
    """Yields the rows of a Parquet file.

    Args:
        path: The file.
        named: Put the names in place of class indices where the file's own description (as the datasets library
            writes it) has them.

    Raises:
        DataError: Not there, or not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            renamed = _class_names(file.schema_arrow.metadata) if named else {}
            number = 0
            for batch in file.iter_batches():
                for values in batch.to_pylist():
                    number += 1
                    for column, rename in renamed.items():
                        values[column] = rename(values.get(column))
                    yield Row(path, number, values, "row")
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file that can be read: {' '.join(str(error).split())}") from None


def table(path: Path, *, named: bool = False) -> Iterator[Row]:
    """Yields the rows of a file whose name says its format: .csv, .tsv, .jsonl, .json or .parquet.

    Raises:
        DataError: Another name, or not readable.
    """
    readers: dict[str, Callable[[Path], Iterator[Row]]] = {
        ".csv": delimited,
        ".tsv": lambda file: delimited(file, "\t", quotes=False),
        ".jsonl": json_lines,
        ".json": _json,
        ".parquet": lambda file: parquet(file, named=named),
    }
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix not in readers:
        raise DataError(f"{path}: not one of {', '.join(readers)}")
    return readers[suffix](path)


def load_json(path: Path) -> Any:
    """Returns what a JSON file holds.

    Raises:
        DataError: Not readable, or not JSON.
    """
    return _parsed(decoded(path), str(path))


def _json(path: Path) -> Iterator[Row]:
    # Files of either kind are called .json.
    return json_list(path) if decoded(path).lstrip()[:1] == "[" else json_lines(path)


def _object(text: str, where: str) -> dict[str, Any]:
    item = _parsed(text, where)
    if not isinstance(item, dict):
        raise DataError(f"{where}: {shown(item)} is no JSON object")
    return item


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise DataError(f"{where}: nested too deeply") from None


def _quoted(path: Path, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(io.StringIO(decoded(path, encoding), newline=""), delimiter=delimiter, strict=True)
    begin = 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{path}, line {begin}: {error}") from None
        if fields:
            yield begin, fields
        begin = reader.line_num + 1


def _bare(path: Path, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines(path, encoding):
        if line:
            yield number, line.split(delimiter)


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, Callable[[Any], Any]]:
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    found: dict[str, Callable[[Any], Any]] = {}
    for column, feature in features.items():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else {}
        names = inner.get("names") if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" else None
        if isinstance(names, list) and names:
            found[column] = _renamer([str(name) for name in names])
    return found


def _renamer(names: Sequence[str]) -> Callable[[Any], Any]:
    def rename(value: Any) -> Any:
        if isinstance(value, list):
            return [rename(item) for item in value]
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else value

    return rename
