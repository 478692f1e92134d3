"""Gives memory that is no longer in use back to the operating system."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

WORTHWHILE_BYTES = 4 * 1024**2
"""Fewer free bytes stay with the allocator: giving them back takes longer than a small fit."""


class _AllocatorState(ctypes.Structure):
    """What glibc's `mallinfo2` returns: ten sizes, of which the ninth is the bytes in free blocks."""

    _fields_ = [(f"size{i}", ctypes.c_size_t) for i in range(10)]


def release_free_memory() -> bool:
    """Returns the memory that the allocator holds but nobody uses to the system; False if it cannot be asked to.

    An allocator keeps freed blocks for later ones, and memory measured afterwards would count them. Only glibc's, that
    of most Linux systems, can be asked; it takes some 10 milliseconds for some 100 MB.
    """
    library = _glibc()
    if library is None:
        return False
    if library.mallinfo2().size8 >= WORTHWHILE_BYTES:
        library.malloc_trim(0)
    return True


@cache
def _glibc() -> Any:
    """Returns the C library; None if it is not glibc of 2021 or newer."""
    try:
        library = ctypes.CDLL(None)
        library.mallinfo2.restype = _AllocatorState
        library.malloc_trim.argtypes = [ctypes.c_size_t]
    except (OSError, AttributeError, TypeError):
        return None
    return library
