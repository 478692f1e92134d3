"""Pictures of test examples in a file of predictions: a column of PNG or JPEG images, empty in most rows."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PICTURE = "picture"
"""Column of the pictures; only in files of tasks whose output draws them."""
MOST_PICTURES = 6
LARGEST_BYTES = 2**18
"""Largest size of a picture that is kept and shown."""
_BEGINNINGS = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff"}


class StoredPicture(NamedTuple):
    """A picture of an example."""

    example: str
    form: str
    """"png" or "jpeg"."""
    content: bytes


def stored_pictures(path: Path | None) -> list[StoredPicture]:
    """Returns the pictures in a file of predictions; none if there are none or the file cannot be read.

    The file may come from elsewhere: what is neither PNG nor JPEG by its first bytes, or too large, is left out.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path is None:
        return []
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            if PICTURE not in file.schema_arrow.names:
                return []
            table = file.read(columns=["id", PICTURE], use_threads=False)
        pictures: list[StoredPicture] = []
        for example, content in zip(table["id"].to_pylist(), table[PICTURE].to_pylist(), strict=True):
            if isinstance(content, bytes) and len(content) <= LARGEST_BYTES and len(pictures) < MOST_PICTURES:
                form = next((name for name, first in _BEGINNINGS.items() if content.startswith(first)), "")
                pictures += [StoredPicture(str(example), form, content)] if form else []
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return []
    return pictures
