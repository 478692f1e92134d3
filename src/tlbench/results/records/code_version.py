"""A checksum of tlbench's own code: what is derived from records and kept on disk is void once the code has changed."""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

import tlbench.contracts
import tlbench.metrics
import tlbench.results
from tlbench.system.version import VERSION

_PACKAGES = (tlbench.contracts, tlbench.metrics, tlbench.results)
"""Whose code decides what a record says in a table: all of it, so that no file can be forgotten in a list."""


@cache
def code_version() -> int:
    """Returns the checksum of every module of the packages that turn records into tables."""
    checksum = zlib.crc32(VERSION.encode())
    for package in _PACKAGES:
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            checksum = zlib.crc32(path.read_bytes(), checksum)
    return checksum
