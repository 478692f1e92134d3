"""Writes the files of a report into a folder, and removes those of an earlier report that are no more.

A folder may come from elsewhere, so neither its list of files nor a link in it leads out of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tlbench.contracts.errors import UsageError
from tlbench.results.render.escaping import printable

LIST = "report-files.json"
"""The file of a folder that lists the others, so that the next report removes those that it does not have."""


def write_files(folder: Path, files: Iterator[tuple[str, bytes]]) -> int:
    """Writes files into a folder, removes those of an earlier report that are no more, and returns their number.

    Raises:
        UsageError: The folder has files and is not an earlier report, cannot be written, or a name leads out of it.
    """
    before, names = _listed(folder), set[str]()
    try:
        for name, content in files:
            target = _inside(folder, name)
            if target is None:
                raise UsageError(f"--to {folder}: the file {printable(name)} would not be in this folder")
            if not names:
                # First of all, so that a report that was interrupted is one that the next report replaces.
                folder.mkdir(parents=True, exist_ok=True)
                _write_list(folder, before | {name})
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink() or (target.exists() and not target.is_file()):
                raise UsageError(f"--to {folder}: {printable(name)} is there and no regular file: remove it")
            names.add(name)
            target.write_bytes(content)
        for name in before - names:
            target = _inside(folder, name)
            if target is not None and (target.is_file() or target.is_symlink()):
                target.unlink()
        _write_list(folder, names)
    except OSError as error:
        raise UsageError(f"--to {folder}: cannot be written: {error.strerror or error}") from error
    return len(names)


def _inside(folder: Path, name: str) -> Path | None:
    """Returns the path of a file of the folder; None if the name, or a link on its way, leads out of the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or str(path) != name:
        return None
    target = folder.joinpath(*path.parts)
    return target if target.parent.resolve().is_relative_to(folder.resolve()) else None


def _listed(folder: Path) -> set[str]:
    """Returns the names of the files of an earlier report; none if the folder is new or empty."""
    try:
        if not (folder.exists() or folder.is_symlink()) or (folder.is_dir() and not any(folder.iterdir())):
            return set()
        return {str(name) for name in json.loads(_read(folder / LIST))}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UsageError(
            f"--to {folder}: it has files and is not an earlier report; give a new or an empty folder"
        ) from error


def _read(path: Path) -> str:
    # What is no regular file, as a pipe, could wait for ever.
    if not path.is_file():
        raise ValueError
    return path.read_text(encoding="utf-8")


def _write_list(folder: Path, names: set[str]) -> None:
    target = folder / LIST
    if target.is_symlink():
        raise UsageError(f"--to {folder}: {LIST} is a link: remove it")
    target.write_text(json.dumps(sorted(names), indent=0) + "\n", encoding="utf-8")
