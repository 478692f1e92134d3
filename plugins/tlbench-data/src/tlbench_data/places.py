"""Finds data below the folders that the variable `TLBENCH_DATA` lists."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tlbench.catalog.data_roots import DATA_VARIABLE, data_roots


def find(folders: Iterable[str], files: Iterable[Iterable[str]] = ()) -> Path | None:
    """Returns the first of the folders, below any of the data roots, that has all the files, or None.

    Args:
        folders: Paths relative to a root, such as `glue/CoLA` or `CoLA`.
        files: The alternative names of each required file.
    """
    needed = [tuple(names) for names in files]
    for root in data_roots():
        for folder in folders:
            candidate = root / folder
            if candidate.is_dir() and all(pick(candidate, names) for names in needed):
                return candidate
    return None


def pick(folder: Path, names: Iterable[str]) -> Path | None:
    """Returns the first of these files or folders that exists, or None."""
    return next((folder / name for name in names if (folder / name).exists()), None)


def advice(task: str, folder: str, files: Iterable[str], fetchable: bool = False) -> str:
    """Returns one line on which files are missing and how to get them."""
    fetch = f", or run `tlbench fetch --task {task}`" if fetchable else ""
    return f"{task} is not here: set {DATA_VARIABLE} to a folder that holds {folder}/ ({', '.join(files)}){fetch}"
