"""Where data lies: the folders that `TLBENCH_DATA` names, and what is found below them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "TLBENCH_DATA"


def roots() -> tuple[Path, ...]:
    """Returns the folders that hold data, in the order to look; none where the variable is not set."""
    parts = os.environ.get(VARIABLE, "").split(os.pathsep)
    return tuple(Path(part).expanduser() for part in parts if part.strip())


def find(folders: Iterable[str], files: Iterable[Iterable[str]] = ()) -> Path | None:
    """Returns the first of the folders, below any root, that holds all the files, or None.

    Args:
        folders: Paths below a root, such as `glue/CoLA`, `CoLA`.
        files: For each file that must be there, the names that it may have.
    """
    needed = [tuple(names) for names in files]
    for root in roots():
        for folder in folders:
            place = root / folder
            if place.is_dir() and all(pick(place, names) for names in needed):
                return place
    return None


def pick(folder: Path, names: Iterable[str]) -> Path | None:
    """Returns the first of these files or folders that is there, or None."""
    return next((folder / name for name in names if (folder / name).exists()), None)


def advice(task: str, folder: str, files: Iterable[str], fetchable: bool = False) -> str:
    """Returns one line that says what is not on this machine, and how to get it."""
    fetch = f", or run `tlbench fetch --task {task}`" if fetchable else ""
    return f"{task} is not here: set {VARIABLE} to a folder that holds {folder}/ ({', '.join(files)}){fetch}"
