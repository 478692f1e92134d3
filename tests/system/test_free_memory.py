"""Memory that nobody uses goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
import weakref

import pytest

from tlbench.system.free_memory import Leftovers, release_free_memory
from tlbench.system.process_memory import read_memory

MB = 1_000_000
BLOCK = 100_000
"""Smaller than what glibc asks the system for on its own, so that freed blocks stay with the allocator."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be asked")
def test_blocks_that_were_freed_are_given_back():
    libc = ctypes.CDLL(None)
    if not release_free_memory():
        pytest.skip("this C library cannot be asked")
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
    before = read_memory().own
    blocks = [libc.malloc(BLOCK) for _ in range(100 * MB // BLOCK)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    # The last block is above all others, so that the allocator cannot shrink its heap by itself.
    for block in blocks[:-1]:
        libc.free(block)
    assert read_memory().own - before > 90 * MB
    release_free_memory()
    assert read_memory().own - before < 10 * MB
    libc.free(blocks[-1])


class Cycle:
    """An object that only a collection of garbage frees, with some memory."""

    def __init__(self, size: int) -> None:
        self.itself, self.content = self, bytearray(b"1" * size)


def left_after(leftovers: Leftovers, size: int, always: bool = False) -> bool:
    """Returns whether a cycle that nobody holds any more is still there."""
    found = weakref.ref(Cycle(size))
    leftovers.free(always)
    return found() is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere all garbage is collected")
def test_garbage_is_collected_once_the_process_has_grown():
    leftovers = Leftovers()
    gc.disable()
    try:
        assert not left_after(leftovers, 10)  # nothing is known of the process yet
        assert left_after(leftovers, 10)
        assert not left_after(leftovers, 10, always=True)
        assert not left_after(leftovers, 20 * MB)
        # What it holds from now on is no growth.
        held = bytearray(b"1" * (20 * MB))
        leftovers.free()
        assert left_after(leftovers, 10)
        assert len(held) == 20 * MB
    finally:
        gc.enable()
