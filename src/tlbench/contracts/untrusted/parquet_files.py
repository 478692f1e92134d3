"""Reads Parquet files that may come from someone else, with a limit of what they grow to in memory.

A Parquet file of some kilobytes can hold gigabytes: a value that occurs a million times is stored once, and pages are
compressed. The number of values of each column is in the file's metadata; how long they are is found by reading
columns of texts as indices into their distinct values, which takes little memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlbench.contracts.untrusted.expansion import most_bytes_from
from tlbench.contracts.untrusted.parquet_footer import ColumnChunk, column_chunks
from tlbench.contracts.untrusted.regular_files import Links, open_regular, reason_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ROWS = 4096
"""Number of rows that are read at once."""
_LARGEST_PAGES = 2**28
_MOST_METADATA = 2**26


class ParquetProblem(ValueError):
    """A Parquet file that cannot be read; the message is one line without the path."""


@contextmanager
def parquet_file(path: Path, links: Links = "refused", texts_as_indices: bool = False) -> Iterator[BoundedParquet]:
    """Opens a Parquet file whose metadata declares no more values than its size allows.

    Args:
        path: The file.
        links: As in `open_regular`.
        texts_as_indices: Read texts as dictionary arrays, as `BoundedParquet.batches` needs them.

    Raises:
        ParquetProblem: The file is damaged or grows too large, or reading it in the block raises an error of pyarrow.
        OSError: The file cannot be opened.
    """
    import pyarrow.parquet as pq

    with open_regular(path, links=links) as raw, parquet_errors():
        options: dict[str, Any] = {
            "pre_buffer": False,
            "thrift_string_size_limit": _MOST_METADATA,
            "thrift_container_size_limit": 2**20,
        }
        limit = most_bytes_from(os.fstat(raw.fileno()).st_size)
        try:
            rows, chunks = column_chunks(raw)
        except ValueError as error:
            raise ParquetProblem(str(error)) from None
        _check_declared(rows, chunks, limit)
        raw.seek(0)
        with pq.ParquetFile(raw, **options) as plain:
            texts = _text_columns(plain)
            if not texts_as_indices or not texts:
                yield BoundedParquet(plain, limit, path, links, chunks)
                return
        raw.seek(0)
        with pq.ParquetFile(raw, read_dictionary=texts, **options) as indexed:
            yield BoundedParquet(indexed, limit, path, links, chunks)


@contextmanager
def parquet_errors() -> Iterator[None]:
    """Raises `ParquetProblem` for what pyarrow raises in the block, where a file is damaged."""
    import pyarrow as pa

    try:
        yield
    # Not all of pyarrow's exceptions are ArrowExceptions: dates, for one, can lie outside of the range of Python's.
    except (pa.ArrowException, MemoryError, OSError, OverflowError, UnicodeError, RecursionError) as error:
        raise ParquetProblem(reason_of(error) or type(error).__name__) from error


class BoundedParquet:
    """An open Parquet file."""

    def __init__(
        self, file: pq.ParquetFile, limit: int, path: Path, links: Links, chunks: Sequence[ColumnChunk]
    ) -> None:
        self.schema: pa.Schema = file.schema_arrow
        self.rows: int = file.metadata.num_rows
        self._file, self._limit, self._path, self._links, self._chunks = file, limit, path, links, chunks

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields the rows in batches whose texts are indices into their distinct values.

        Raises:
            ParquetProblem: The rows so far are larger in memory than the size of the file allows.
        """
        total = 0
        for batch in self._file.iter_batches(_ROWS, use_threads=False):
            total += sum(_expanded_bytes(column) for column in batch.columns)
            if total > self._limit:
                raise _too_large(self._limit)
            yield batch

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Returns some columns as a table, read by one thread.

        Raises:
            ParquetProblem: They are larger in memory than the size of the file allows.
        """
        if _longest_possible(self._chunks, columns) > self._limit:
            # The bytes of texts are not in the metadata, so they are counted before they are copied out.
            with parquet_file(self._path, self._links, texts_as_indices=True) as indexed:
                for _ in indexed.batches():
                    pass
        return self._file.read(columns=list(columns), use_threads=False)


def _check_declared(rows: int, chunks: Sequence[ColumnChunk], limit: int) -> None:
    """Raises an error if the values of fixed size, and the places of texts, would exceed the limit in bytes."""
    total = rows + sum(one.values * max(8, one.width) for one in chunks)
    # One page may be as large as all of its column's, and is decompressed at once.
    if total > limit or any(one.uncompressed_bytes > max(limit, _LARGEST_PAGES) for one in chunks):
        raise _too_large(limit)


def _longest_possible(chunks: Sequence[ColumnChunk], columns: Sequence[str]) -> int:
    """Returns a bound on the size in bytes of the texts of these columns."""
    # No text is longer than the uncompressed column in which it is.
    return sum(one.values * one.uncompressed_bytes for one in chunks if one.is_text and one.name in columns)


def _text_columns(file: pq.ParquetFile) -> list[str]:
    columns = (file.schema.column(index) for index in range(len(file.schema)))
    texts = [one.path for one in columns if one.physical_type == "BYTE_ARRAY" and one.logical_type.type != "DECIMAL"]
    return [path for path in texts if "\0" not in path]


def _expanded_bytes(column: pa.Array) -> int:
    """Returns the size in bytes of an array once its indices are replaced by their texts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        lengths = pc.take(pc.binary_length(column.dictionary), column.indices)
        return int(pc.sum(lengths).as_py() or 0) + 8 * len(column)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _expanded_bytes(column.flatten()) + 8 * len(column)
    if pa.types.is_map(kind):
        return _expanded_bytes(column.keys) + _expanded_bytes(column.items)
    if pa.types.is_struct(kind):
        return sum(_expanded_bytes(part) for part in column.flatten()) + 8 * len(column)
    return int(column.nbytes)


def _too_large(limit: int) -> ParquetProblem:
    return ParquetProblem(f"it grows to more than {limit:,} bytes in memory")
