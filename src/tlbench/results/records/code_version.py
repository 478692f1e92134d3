"""A checksum of tlbench's own code, which invalidates derived files when the code changes."""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

import tlbench.contracts
import tlbench.metrics
import tlbench.results
from tlbench.system.version import VERSION

# Whole packages rather than a list of modules, so that no module that affects a table can be left out.
_PACKAGES = (tlbench.contracts, tlbench.metrics, tlbench.results)


@cache
def code_version() -> int:
    """Returns a CRC-32 over the source of every package that turns records into tables."""
    checksum = zlib.crc32(VERSION.encode())
    for package in _PACKAGES:
        # Sorted, because the order in which a file system lists files differs between machines.
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            checksum = zlib.crc32(path.read_bytes(), checksum)
    return checksum
