"""Suggests task names for a file, a folder or a hub data set that was given without a scheme such as `csv:`."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from tlbench.catalog.names import quoted_base
from tlbench_data.own.named_files import SUFFIXES
from tlbench_data.own.other_sources import is_image

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_MOST_ENTRIES = 1000
"""Maximum number of entries of a folder that are inspected to tell whether it holds images or tables."""


def suggested(name: str) -> list[str]:
    """Returns task names, such as `csv:a.csv`, that a name without a scheme may mean; empty if there are none."""
    path = Path(name)
    try:
        schemes = _schemes_of_folder(path.expanduser()) if path.expanduser().is_dir() else _schemes_of_file(name)
    # ~name is no user of this machine, the folder is not readable, or the name is too long for a path.
    except (RuntimeError, OSError, ValueError):
        return []
    if not schemes and _REPOSITORY.fullmatch(name) and not path.exists():
        schemes = ["hub"]
    return [quoted_base(f"{scheme}:{name}") for scheme in schemes]


def _schemes_of_file(name: str) -> list[str]:
    lowered = name.lower()
    return [scheme for scheme, suffixes in SUFFIXES.items() if lowered.endswith(suffixes)]


def _schemes_of_folder(folder: Path) -> list[str]:
    entries = list(islice(folder.iterdir(), _MOST_ENTRIES))
    if any("-ubyte" in entry.name for entry in entries):
        return ["idx"]
    tables = {scheme: None for entry in entries if entry.is_file() for scheme in _schemes_of_file(entry.name)}
    # A folder of images has a folder for each class.
    is_nested = any(entry.is_dir() for entry in entries) and not tables
    return ["imagefolder"] if is_nested or any(map(is_image, entries)) else list(tables)
