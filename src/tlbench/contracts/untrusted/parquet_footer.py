"""Reads what the footer of a Parquet file says of the sizes of its columns.

pyarrow ends the whole process for some damaged footers (an exception of C++ that nothing catches, as in
`row_group.column(0)` with a wrong histogram), so the sizes are read here before pyarrow opens the file. The footer is
in Thrift's compact protocol: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, NamedTuple

from tlbench.contracts.untrusted.expansion import read_whole

LARGEST_FOOTER = 2**26
"""Size in bytes of the largest footer that is read."""
_MAGIC = b"PAR1"
_DEEPEST = 16
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)
_WIDTHS = (1, 4, 8, 12, 4, 8, 8)
"""Bytes of a value in memory, by the number of its type; for byte arrays, whose number is the last, only its place."""
BYTE_ARRAY = 6
_FIXED = 7


class ColumnChunk(NamedTuple):
    """A column in one group of rows."""

    name: str
    """The first part of the column's path."""
    is_text: bool
    """Whether its values are byte arrays of any length."""
    values: int
    """Number of values, those in lists included."""
    width: int
    """Bytes that a value takes in memory; for a byte array, those of its offset only."""
    uncompressed_bytes: int
    """Size of all pages once they are decompressed."""


def column_chunks(file: BinaryIO) -> tuple[int, list[ColumnChunk]]:
    """Returns the number of rows and the columns of each group of rows of an open Parquet file.

    Raises:
        ValueError: The footer is damaged or too large, or refers to another file.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    tail = read_whole(file, 8)
    if len(tail) < 8 or tail[4:] != _MAGIC:
        raise ValueError("it does not end as Parquet files do")
    length = struct.unpack("<I", tail[:4])[0]
    if not 0 < length <= min(size - 12, LARGEST_FOOTER):
        raise ValueError("its footer is damaged or too large")
    file.seek(size - 8 - length)
    try:
        footer = _Compact(read_whole(file, length)).structure(0)
        rows = footer[3]
        widest = max([0, *(element.get(2, 0) for element in footer[2] if element.get(1) == _FIXED)])
        chunks = [_chunk(column, widest) for group in footer.get(4, []) for column in group[1]]
    except (IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError, struct.error):
        raise ValueError("its footer is damaged") from None
    if (
        not isinstance(rows, int)
        or min([rows, *(min(one.values, one.uncompressed_bytes, one.width) for one in chunks)]) < 0
    ):
        raise ValueError("its footer is damaged")
    return rows, chunks


def _chunk(column: dict[int, Any], widest: int) -> ColumnChunk:
    if column.get(1):
        raise ValueError("it refers to another file")
    about = column[3]
    kind = int(about[1])
    width = widest if kind == _FIXED else _WIDTHS[kind]
    return ColumnChunk(about[3][0].decode(), kind == BYTE_ARRAY, int(about[5]), int(width), int(about[6]))


class _Compact:
    """Decodes values of the compact protocol: structures as dictionaries by the number of the field."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def structure(self, depth: int) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) & 15:
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            # In a field, the type of a truth value is the value.
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind in (_TRUE, _FALSE, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return struct.unpack("<d", self._bytes(8))[0]
        if kind == _BINARY:
            return self._bytes(self._unsigned())
        if depth >= _DEEPEST:
            raise ValueError("its footer is nested too deeply")
        if kind in (_LIST, _SET):
            head = self._byte()
            count = self._unsigned() if head >> 4 == 15 else head >> 4
            # Each item takes at least a byte, so that no more are read than there are.
            self._check(count)
            return [self._value(head & 15, depth + 1) for _ in range(count)]
        if kind == _MAP:
            count = self._unsigned()
            self._check(count)
            kinds = self._byte() if count else 0
            return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(count)]
        if kind == _STRUCT:
            return self.structure(depth + 1)
        raise ValueError("its footer is damaged")

    def _byte(self) -> int:
        at = self._at
        self._at = at + 1
        return self._content[at]

    def _bytes(self, count: int) -> bytes:
        self._check(count)
        self._at += count
        return self._content[self._at - count : self._at]

    def _check(self, count: int) -> None:
        if count > len(self._content) - self._at:
            raise ValueError("its footer is damaged")

    def _unsigned(self) -> int:
        # Nearly all numbers of a footer have one byte.
        if (byte := self._content[self._at]) < 128:
            self._at += 1
            return byte
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("its footer is damaged")

    def _integer(self) -> int:
        # Zigzag: 0, -1, 1, -2, ...
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
