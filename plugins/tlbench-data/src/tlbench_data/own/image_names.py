"""Refuses a table that lists image files where a table of texts is expected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from tlbench import DataError, ImageFile
from tlbench_data.readers.rows import Row


def refuse_image_names(rows: Sequence[Row], column: str) -> None:
    """Refuses a text column, chosen without the option `text=`, that holds the names of image files.

    Raises:
        DataError: Every value of the column is the name of an image file.
    """
    values = [row.value(column) for row in rows]
    if not all(isinstance(value, str) and PurePath(value).suffix.lower() in ImageFile.suffixes for value in values):
        return
    table = rows[0].path
    is_beside = any((table.parent / value).is_file() for value in values[:100])
    folder = f"{table.parent}[labels={table.name}]" if is_beside else f"FOLDER[labels={table}]"
    raise DataError(
        f"{table}: {column} holds the names of image files: imagefolder:{folder} learns from the images, and "
        f"[text={column}] from their names"
    )
