"""Gives memory that is no longer in use back to the operating system."""

from __future__ import annotations

import ctypes
import gc
import os
from functools import cache
from pathlib import Path
from typing import Any

WORTHWHILE_BYTES = 4 * 1024**2
"""Fewer free bytes stay with the allocator: giving them back takes longer than a small fit."""
_GROWTH_BYTES = 1024**2
"""Growth of the process's resident memory from which garbage is collected."""


class Leftovers:
    """Frees what the last fit left in memory, such as reference cycles, so that it does not count for the next one."""

    def __init__(self) -> None:
        self._resident: int | None = None
        """The resident memory when it was last freed; None before that, and where it cannot be read."""

    def free(self, always: bool = False) -> None:
        """Collects garbage and gives memory back, if the process has grown by 1 MiB since the last time.

        A collection takes about as long as a fit that does nothing.

        Args:
            always: Whether to do so even if the process has not grown, for memory that is not the process's own.
        """
        now = _resident_bytes()
        if not always and now is not None and self._resident is not None and now < self._resident + _GROWTH_BYTES:
            return
        gc.collect()
        release_free_memory()
        self._resident = _resident_bytes()


def _resident_bytes() -> int | None:
    """Returns the resident memory of this process, read as fast as Linux can; None on other systems."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


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
