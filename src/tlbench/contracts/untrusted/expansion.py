"""Limits of what a compressed file may grow to when it is read."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO

from tlbench.contracts.untrusted.regular_files import Links, open_regular

SMALLEST_LIMIT = 2**28
"""Number of bytes that any file, however small, may grow to."""
MOST_TIMES = 200
"""Number of times its own size that a larger file may grow to; real text is compressed by less than 50 times."""


def most_bytes_from(size: int) -> int:
    """Returns the number of bytes that a compressed file of this size in bytes may grow to."""
    return max(SMALLEST_LIMIT, MOST_TIMES * size)


def unpacked_gzip(path: Path, most_bytes: int, *, links: Links = "refused") -> bytes:
    """Returns the content of a gzip file.

    Args:
        path: The file.
        most_bytes: The largest content in bytes, if `most_bytes_from` allows more.
        links: As in `open_regular`.

    Raises:
        ValueError: The content is larger, or the file is damaged.
        OSError: The file cannot be read.
    """
    with open_regular(path, links=links) as raw:
        size = raw.seek(0, 2)
        raw.seek(0)
        most = min(most_bytes, most_bytes_from(size))
        try:
            with gzip.GzipFile(fileobj=raw) as file:
                # One byte more than the limit shows whether there is more.
                content = read_whole(file, most + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"not a whole gzip file: {error}") from None
    if len(content) > most:
        raise ValueError(f"unpacks to more than {most:,} bytes, of {size:,} in the file: unpack it yourself")
    return content


def read_whole(file: IO[bytes] | gzip.GzipFile, most_bytes: int) -> bytes:
    """Returns at most this many bytes of a stream, without allocating memory for more than it has."""
    parts, left = [], most_bytes
    while left and (part := file.read(min(left, 2**20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
