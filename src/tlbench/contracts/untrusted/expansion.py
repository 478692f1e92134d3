"""Limits of what a compressed file may grow to when it is read."""

from __future__ import annotations

import gzip
import io
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
                content = io.BytesIO()
                while part := file.read(2**20):
                    content.write(part)
                    # Compared with what has been read so far, so that most of a bomb is never unpacked.
                    allowed = min(most, most_bytes_from(raw.tell()))
                    if content.tell() > allowed:
                        raise ValueError(f"unpacks to more than {allowed:,} bytes: unpack it yourself if it is no bomb")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"not a whole gzip file: {error}") from None
    # Shares its memory with the buffer.
    return content.getvalue()


def read_whole(file: IO[bytes] | gzip.GzipFile, most_bytes: int) -> bytes:
    """Returns at most this many bytes of a stream, without allocating memory for more than it has."""
    content, left = io.BytesIO(), most_bytes
    while left and (part := file.read(min(left, 2**20))):
        content.write(part)
        left -= len(part)
    return content.getvalue()
