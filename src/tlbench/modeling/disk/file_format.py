"""Provides the file format of the cache: named arrays behind a header with their key, metadata and digest.

Files are valid safetensors files, so other tools can open them and reading them never executes code. The header is
written last, into space reserved at the front. The digest is computed from the arrays, followed by the key, metadata
and array positions in the header.
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
"""The version of the file format; increase it when older files must no longer be read."""
PAGE = 4096
BLOCK = 1 << 20
ITEM_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
# numpy has no bfloat16: its bits are handled as int16
_NUMPY_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<i2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U8": "<u1", "BOOL": "?",
}  # fmt: skip
_MAX_HEADER_BYTES = 1 << 20

JSON: TypeAlias = str | int | float | bool | None
Key: TypeAlias = Mapping[str, JSON]
"""The key of an entry: everything that its content depends on, by name."""


class Damaged(Exception):
    """A file of the cache has unexpected content."""


@dataclass(frozen=True)
class Array:
    """The dtype, shape and position of one array in a file."""

    dtype: str
    """The safetensors name: "F32", "BF16", ..."""
    shape: tuple[int, ...]
    first: int
    """Offset in bytes from the start of the arrays."""

    @property
    def size_bytes(self) -> int:
        """The size of the array in bytes."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Header:
    """The parsed header of a file."""

    key: dict[str, Any]
    metadata: dict[str, Any]
    arrays: dict[str, Array]
    digest: str
    size: int
    """Length of the header in bytes, which is the offset of the first array."""


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Returns the safetensors name of a numpy dtype.

    Raises:
        TypeError: The format has no such dtype.
    """
    import numpy as np

    for name, numpy_name in _NUMPY_DTYPES.items():
        # int16 must map to I16, never to BF16, which only borrows it
        if name != "BF16" and np.dtype(numpy_name) == dtype:
            return name
    raise TypeError(f"arrays of {dtype} cannot be kept on disk")


def header_size_for(key: Key) -> int:
    """Returns the number of bytes to reserve for the header of an entry with this key, a multiple of `PAGE`."""
    # The key is stored once, escaped as a JSON string within JSON, which at most doubles it. Whole pages keep the
    # first array aligned in the mapped file: kernels may take another path, with other last bits, if it is not.
    needed = 2 * len(canonical(dict(key))) + 2048
    return -(-needed // PAGE) * PAGE


def pack_header(key: Key, metadata: Key, arrays: Mapping[str, Array], digest: Any, size: int) -> bytes:
    """Returns the encoded header.

    Args:
        key: Everything that the entry depends on.
        metadata: Additional values to store with the entry.
        arrays: Positions of the arrays, by name.
        digest: A hashlib object that was updated with the bytes of all arrays.
        size: The length of the result in bytes, from `header_size_for`.

    Raises:
        ValueError: The header does not fit into `size` bytes.
    """
    description = _description(key, metadata, arrays)
    digest = digest.copy()
    digest.update(description.encode())
    header: dict[str, Any] = {"__metadata__": {"tlbench": description, "sha256": digest.hexdigest()}}
    for name, array in arrays.items():
        offsets = [array.first, array.first + array.size_bytes]
        header[name] = {"dtype": array.dtype, "shape": list(array.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    # safetensors begins with the header's length as 8 bytes, and allows spaces behind the JSON
    if len(text) > size - 8:
        raise ValueError("the key and metadata of the entry are too long for its header")
    return (size - 8).to_bytes(8, "little") + text.ljust(size - 8)


def read_header(handle: int) -> Header:
    """Returns the header of an open file, checked against the file's size but not against the digest.

    Raises:
        Damaged: The file is not a complete file of this cache.
    """
    try:
        size = os.fstat(handle).st_size
        length = int.from_bytes(os.pread(handle, 8, 0), "little")
        # the length comes from the file: an arbitrary one could ask for exabytes of memory
        if not 0 < length <= _MAX_HEADER_BYTES:
            raise Damaged("it is no file of the cache")
        safetensors_metadata = json.loads(os.pread(handle, length, 8))["__metadata__"]
        description = json.loads(safetensors_metadata["tlbench"])
        arrays = {
            str(name): Array(str(dtype), tuple(int(n) for n in shape), int(first))
            for name, dtype, shape, first in description["arrays"]
        }
        # "about" is the name of the metadata on disk in FORMAT 1
        header = Header(
            dict(description["key"]),
            dict(description["about"]),
            arrays,
            str(safetensors_metadata["sha256"]),
            length + 8,
        )
        if description["format"] != FORMAT:
            raise Damaged(f"it has format {description['format']}")
    except Damaged:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"its header cannot be read ({type(error).__name__})") from None
    # arrays must fill the file without gaps: an offset from a damaged header could point anywhere
    end = 0
    for array in arrays.values():
        if array.dtype not in ITEM_BYTES or any(n < 0 for n in array.shape) or array.first != end:
            raise Damaged("its header describes no arrays")
        end += array.size_bytes
    if size != header.size + end:
        raise Damaged(f"it has {size} bytes in place of {header.size + end}")
    return header


def check_digest(handle: int, header: Header) -> None:
    """Reads the whole file and compares its digest with the header's.

    Raises:
        Damaged: The content does not match the digest.
    """
    digest, position = hashlib.sha256(), header.size
    # read, not mapped: mapped pages would count towards this process's peak memory
    buffer = bytearray(BLOCK)
    while count := os.preadv(handle, [buffer], position):
        digest.update(memoryview(buffer)[:count])
        position += count
    digest.update(_description(header.key, header.metadata, header.arrays).encode())
    if digest.hexdigest() != header.digest:
        raise Damaged("its content does not match its digest")


def view(mapped: mmap.mmap, header: Header, name: str) -> np.ndarray:
    """Returns an array of a mapped file without reading it; bfloat16, which numpy lacks, as int16."""
    import numpy as np

    array = header.arrays[name]
    dtype, offset = np.dtype(_NUMPY_DTYPES[array.dtype]), header.size + array.first
    if not array.size_bytes:
        return np.empty(array.shape, dtype)
    values = np.frombuffer(mapped, dtype, math.prod(array.shape), offset).reshape(array.shape)
    # behind an array of odd length this one is misaligned for its dtype; native code may rely on alignment
    return values.copy() if offset % dtype.itemsize else values


def canonical(value: object) -> str:
    """Returns JSON that is equal for equal values, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _description(key: Key, metadata: Key, arrays: Mapping[str, Array]) -> str:
    """Returns key, metadata and array positions as the JSON string that is stored and digested."""
    positions = [[name, array.dtype, list(array.shape), array.first] for name, array in arrays.items()]
    return canonical({"format": FORMAT, "key": dict(key), "about": dict(metadata), "arrays": positions})
