"""The files of the cache: named arrays behind a header that says what they are and carries their digest.

A file is a safetensors file, so that other tools can look into it, and nothing in it can be code. The header stands in
room set aside at the front and is written last. The digest covers the arrays, then all that the header says of them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import mmap

    import numpy as np

FORMAT = 1
"""Raise it when files of before must not be read any more."""
PAGE = 4096
BLOCK = 1 << 20
ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
_NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<i2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U8": "<u1", "BOOL": "?",
}  # fmt: skip
_MOST_HEADER_BYTES = 1 << 20

JSON: TypeAlias = str | int | float | bool | None
Key: TypeAlias = Mapping[str, JSON]
"""All that an entry depends on, by name."""


class Damaged(Exception):
    """A file that is not what it should be."""


@dataclass(frozen=True)
class Array:
    """Where an array stands in the file."""

    dtype: str
    """As safetensors names it: "F32", "BF16", ..."""
    shape: tuple[int, ...]
    first: int
    """Bytes from the beginning of the arrays to that of this one."""

    @property
    def size_bytes(self) -> int:
        """How many bytes it takes."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Header:
    """What a file says of itself."""

    key: dict[str, Any]
    about: dict[str, Any]
    arrays: dict[str, Array]
    digest: str
    room: int
    """Bytes before the first array."""


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Returns safetensors' name of a numpy type.

    Raises:
        TypeError: The format has none for it.
    """
    import numpy as np

    for name, numpys in _NUMPY.items():
        if name != "BF16" and np.dtype(numpys) == dtype:
            return name
    raise TypeError(f"arrays of {dtype} cannot be kept on disk")


def room_for(key: Key) -> int:
    """Returns how much room to leave for the header of an entry of this key."""
    needed = 2 * len(canonical(dict(key))) + 2048
    return -(-needed // PAGE) * PAGE


def packed(key: Key, about: Key, arrays: Mapping[str, Array], digest: Any, room: int) -> bytes:
    """Returns the header, exactly as long as its room; `digest` has taken in the arrays.

    Raises:
        ValueError: There is not room enough.
    """
    said = _said(key, about, arrays)
    digest = digest.copy()
    digest.update(said.encode())
    header: dict[str, Any] = {"__metadata__": {"tlbench": said, "sha256": digest.hexdigest()}}
    for name, array in arrays.items():
        offsets = [array.first, array.first + array.size_bytes]
        header[name] = {"dtype": array.dtype, "shape": list(array.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    if len(text) > room - 8:
        raise ValueError("too much to say about an entry")
    return (room - 8).to_bytes(8, "little") + text.ljust(room - 8)


def read_header(handle: int) -> Header:
    """Returns the header of an open file, checked against the file's size but not against the digest.

    Raises:
        Damaged: It is no file of this cache, or not all of one.
    """
    try:
        size = os.fstat(handle).st_size
        length = int.from_bytes(os.pread(handle, 8, 0), "little")
        if not 0 < length <= _MOST_HEADER_BYTES:
            raise Damaged("it is no file of the cache")
        metadata = json.loads(os.pread(handle, length, 8))["__metadata__"]
        said = json.loads(metadata["tlbench"])
        arrays = {
            str(name): Array(str(dtype), tuple(int(n) for n in shape), int(first))
            for name, dtype, shape, first in said["arrays"]
        }
        header = Header(dict(said["key"]), dict(said["about"]), arrays, str(metadata["sha256"]), length + 8)
        if said["format"] != FORMAT:
            raise Damaged(f"it has format {said['format']}")
    except Damaged:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"its header cannot be read ({type(error).__name__})") from None
    end = 0
    for array in arrays.values():
        if array.dtype not in ITEM_BYTES or any(n < 0 for n in array.shape) or array.first != end:
            raise Damaged("its header describes no arrays")
        end += array.size_bytes
    if size != header.room + end:
        raise Damaged(f"it has {size} bytes in place of {header.room + end}")
    return header


def check_digest(handle: int, header: Header) -> None:
    """Reads the whole file once; it is read and not mapped, so that it does not count as this process's memory.

    Raises:
        Damaged: The content is not what the digest was made of.
    """
    digest, position = hashlib.sha256(), header.room
    buffer = bytearray(BLOCK)
    while count := os.preadv(handle, [buffer], position):
        digest.update(memoryview(buffer)[:count])
        position += count
    digest.update(_said(header.key, header.about, header.arrays).encode())
    if digest.hexdigest() != header.digest:
        raise Damaged("its content does not match its digest")


def view(mapped: mmap.mmap, header: Header, name: str) -> np.ndarray:
    """Returns an array of a mapped file without reading it; bfloat16, which numpy lacks, as int16."""
    import numpy as np

    array = header.arrays[name]
    dtype, offset = np.dtype(_NUMPY[array.dtype]), header.room + array.first
    if not array.size_bytes:
        return np.empty(array.shape, dtype)
    found = np.frombuffer(mapped, dtype, math.prod(array.shape), offset).reshape(array.shape)
    return found.copy() if offset % dtype.itemsize else found


def canonical(value: object) -> str:
    """Returns JSON that is equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _said(key: Key, about: Key, arrays: Mapping[str, Array]) -> str:
    placed = [[name, array.dtype, list(array.shape), array.first] for name, array in arrays.items()]
    return canonical({"format": FORMAT, "key": dict(key), "about": dict(about), "arrays": placed})
