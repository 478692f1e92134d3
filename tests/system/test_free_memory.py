"""Memory that nobody uses goes back to the system."""

from __future__ import annotations

import ctypes
import sys

import pytest

from tlbench.system.free_memory import release_free_memory
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
