"""Hints for error messages: which scheme reads a file or folder of images, or of tables."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from tlbench import ImageFile
from tlbench.catalog.names import quoted_base
from tlbench_data.split_names import split_of

_TABLES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}
_LOOKED_AT = 1000
"""Maximum number of files of a folder that are inspected to find an image."""


def images_hint(path: Path) -> str:
    """Returns a hint on how to read an image file, or a folder that contains images; "" if the path is neither."""
    if is_image(path):
        return f"this is an image; {quoted_base(f'imagefolder:{path.parent}')} reads a folder of images"
    # Sorted, so that the message is the same on every file system.
    found = sorted(file.relative_to(path).as_posix() for file in islice(path.rglob("*"), _LOOKED_AT) if is_image(file))
    return f"images such as {found[0]}: {quoted_base(f'imagefolder:{path}')} reads them" if found else ""


def tables_hint(path: Path) -> str:
    """Returns a hint on how to read a table, or a folder that contains tables; "" if the path is neither."""
    if scheme := _scheme(path):
        return f"this is a table; {quoted_base(f'{scheme}:{path}')} reads it"
    tables = [file for file in sorted(path.iterdir()) if _scheme(file)] if path.is_dir() else []
    if not tables:
        return ""
    # A folder is read as a whole if its files are named like splits.
    whole = path if any(split_of(file.name.partition(".")[0]) == "train" for file in tables) else tables[0]
    return f"tables such as {tables[0].name}: {quoted_base(f'{_scheme(tables[0])}:{whole}')} reads it"


def is_image(path: Path) -> bool:
    """Returns whether a path is a file with the suffix of an image."""
    return path.suffix.lower() in ImageFile.suffixes and path.is_file()


def _scheme(path: Path) -> str:
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    return _TABLES.get(suffix.lower(), "") if path.is_file() else ""
