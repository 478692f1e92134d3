"""Reads tables (CSV, TSV, JSON lines, JSON lists, Parquet) completely and strictly."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tlbench import DataError
from tlbench.contracts.untrusted.parquet_files import ParquetProblem, parquet_file
from tlbench.contracts.untrusted.regular_files import reason_of
from tlbench_data.readers.rows import Row, shown
from tlbench_data.readers.text_lines import decoded, lines

# The csv module's default limit of 128 KiB per field is too small for some documents.
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
        path: The file; `.gz` files are unpacked.
        delimiter: Separates columns.
        quotes: Whether quoted fields may contain delimiters and line ends; GLUE's files have bare quotes instead.
        columns: Column names of a file without a header.
        header: Whether the first line names the columns; without it and `columns` they are 0, 1, ...
        encoding: Encoding of the file.
        skip_short: Skip rows with too few columns, as is usual for some published files.

    Raises:
        DataError: The file cannot be read, a row has another number of columns, or the header repeats a name.
    """
    cells = _quoted_cells(path, delimiter, encoding) if quotes else _bare_cells(path, delimiter, encoding)
    names = list(columns)
    for number, fields in cells:
        if not names and header:
            names = [field.strip() for field in fields]
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise DataError(f"{path}, line {number}: the header names {shown(twice)} twice")
            if any("\0" in name for name in names):
                raise DataError(
                    f"{path}, line {number}: a NUL character in the header: the file is damaged, or in another "
                    "encoding, which encoding= sets"
                )
            continue
        # The first row decides the number of columns of a file without names.
        names = names or [str(index) for index in range(len(fields))]
        if len(fields) != len(names):
            if skip_short and len(fields) < len(names):
                continue
            raise DataError(f"{path}, line {number}: {len(fields)} columns where {len(names)} are expected")
        yield Row(path, number, dict(zip(names, fields, strict=True)))


def json_lines(path: Path, encoding: str = "utf-8") -> Iterator[Row]:
    """Yields the objects of a file with one JSON object per line; empty lines are skipped.

    Raises:
        DataError: The file cannot be read, or a line is not a JSON object.
    """
    for number, line in lines(path, encoding):
        if line.strip():
            yield Row(path, number, _object(line, f"{path}, line {number}"))


def json_list(path: Path) -> Iterator[Row]:
    """Yields the objects of a file that is one JSON list.

    Raises:
        DataError: The file cannot be read, or is not a list of objects.
    """
    items = load_json(path)
    if not isinstance(items, list):
        raise DataError(f"{path}: not a JSON list")
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise DataError(f"{path}, row {number}: {shown(item)} is not a JSON object")
        yield Row(path, number, item, "row")


def parquet(path: Path, *, named: bool = False) -> Iterator[Row]:
    """Yields the rows of a Parquet file.

    Args:
        path: The file.
        named: Replace class indices by the names in the file's metadata, which the datasets library writes.

    Raises:
        DataError: The file is missing or not Parquet.
    """
    try:
        with parquet_file(path, "followed", texts_as_indices=True) as file:
            columns = file.schema.names
            if len(set(columns)) < len(columns):
                twice = next(name for name in columns if columns.count(name) > 1)
                raise DataError(f"{path}: two columns are called {shown(twice)}")
            names_of = _class_names(path, file.schema.metadata) if named else {}
            renamed = {column: _renamer(names) for column, names in names_of.items()}
            number = 0
            # In batches, so that a large file is not in memory twice as Arrow and Python objects.
            for batch in file.batches():
                for values in batch.to_pylist():
                    number += 1
                    for column, rename in renamed.items():
                        values[column] = rename(values.get(column))
                    yield Row(path, number, values, "row")
    except (ParquetProblem, OSError) as error:
        raise _not_parquet(path, error) from None


def class_names(path: Path) -> dict[str, tuple[str, ...]]:
    """Returns the class names of each column of a Parquet file that has them, in the order of the file's metadata.

    Raises:
        DataError: The file is missing or not Parquet.
    """
    try:
        with parquet_file(path, "followed") as file:
            return _class_names(path, file.schema.metadata)
    except (ParquetProblem, OSError) as error:
        raise _not_parquet(path, error) from None


def _not_parquet(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: not a Parquet file that can be read: {reason_of(error)}")


def table(path: Path, *, named: bool = False) -> Iterator[Row]:
    """Yields the rows of a file, read by its suffix: .csv, .tsv, .jsonl, .json or .parquet.

    Raises:
        DataError: The suffix is another, or the file cannot be read.
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
    """Returns the content of a JSON file.

    Raises:
        DataError: The file cannot be read, or is not JSON.
    """
    return parsed_json(decoded(path), str(path))


def parsed_json(text: str, where: str) -> Any:
    """Returns the value of a JSON text.

    Raises:
        DataError: It is not JSON; the message begins with `where`.
    """
    try:
        return _JSON.decode(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except _RepeatedField as error:
        raise DataError(f"{where}: an object has the field {shown(str(error))} twice") from None
    # Python refuses to read whole numbers of thousands of digits.
    except ValueError:
        raise DataError(f"{where}: a number has too many digits") from None
    # Deeply nested brackets, of a few kilobytes, exceed Python's recursion limit.
    except RecursionError:
        raise DataError(f"{where}: nested too deeply") from None


class _RepeatedField(ValueError):
    """Raised if a JSON object has two fields of one name; the argument is that name."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    item = dict(pairs)
    if len(item) < len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedField(next(name for name in names if names.count(name) > 1))
    return item


_JSON = json.JSONDecoder(object_pairs_hook=_without_repeats)


def _json(path: Path) -> Iterator[Row]:
    # Both a JSON list and JSON lines are published as .json.
    return json_list(path) if decoded(path).lstrip()[:1] == "[" else json_lines(path)


def _object(text: str, where: str) -> dict[str, Any]:
    item = parsed_json(text, where)
    if not isinstance(item, dict):
        raise DataError(f"{where}: {shown(item)} is not a JSON object")
    return item


def _quoted_cells(path: Path, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    # newline="" keeps line ends inside quoted fields; strict, or stray quotes would be accepted.
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(io.StringIO(decoded(path, encoding), newline=""), delimiter=delimiter, strict=True)
    first_line = 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            is_open = str(error) == "unexpected end of data"
            what = "the quotation mark that begins a field in this row is not closed" if is_open else str(error)
            advice = "double the quotation marks inside fields, or set quotes=false to read all as plain characters"
            raise DataError(f"{path}, line {first_line}: {what}; {advice}") from None
        if fields:
            yield first_line, fields
        first_line = reader.line_num + 1


def _bare_cells(path: Path, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines(path, encoding):
        if line:
            yield number, line.split(delimiter)


def _class_names(path: Path, metadata: dict[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """Returns the names of each column of class indices.

    Raises:
        DataError: Two classes of a column have one name.
    """
    # The metadata may have been written by any program: if something is missing, the column has no names.
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        # A list of classes has its features in "feature"; older versions of the library wrote a list of one item.
        inner = feature[0] if isinstance(feature, list) and len(feature) == 1 else feature
        inner = inner.get("feature", inner) if isinstance(inner, dict) else {}
        names = inner.get("names") if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" else None
        if isinstance(names, list) and names and all(isinstance(name, str | int) for name in names):
            found[column] = tuple(str(name) for name in names)
            if len(set(found[column])) < len(names):
                twice = next(name for name in found[column] if found[column].count(name) > 1)
                raise DataError(f"{path}: its metadata calls two classes of {column} {shown(twice)}; rename one")
    return found


def _renamer(names: Sequence[str]) -> Callable[[Any], Any]:
    # -1 marks unlabelled rows and stays as it is.
    def rename(value: Any) -> Any:
        if isinstance(value, list):
            return [rename(item) for item in value]
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else value

    return rename
