"""Files that are whole or absent, whenever the process or the machine dies."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, int]
"""The size of a file in bytes and the nanosecond in which it was last written."""


def stamp_of(status: os.stat_result) -> Stamp:
    """Returns what changes if a file does."""
    return status.st_size, status.st_mtime_ns


def write_durably(path: Path, content: bytes) -> Stamp:
    """Writes the file and returns its stamp; after a crash it holds either its old content or the new, never a part."""
    temporary, stamp = _written(path, content)
    try:
        os.replace(temporary, path)
    except BaseException:
        _forget(temporary)
        raise
    _sync_folder(path.parent)
    return stamp


def create_durably(path: Path, content: bytes) -> Stamp | None:
    """Creates the file and returns its stamp, or None where it exists already: of several writers one wins.

    `link` refuses an existing name, which `rename` does not. The stamp is of what was written here, whatever somebody
    has put in its place since.
    """
    temporary, stamp = _written(path, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return None
    finally:
        _forget(temporary)
    _sync_folder(path.parent)
    return stamp


def link_durably(source: Path, path: Path) -> bool:
    """Gives a finished file a second name, or returns False where that name exists already."""
    handle = os.open(source, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(source, path)
    except FileExistsError:
        return False
    except OSError:
        # Another file system, or one without links: copy.
        return create_durably(path, source.read_bytes()) is not None
    _sync_folder(path.parent)
    return True


def _written(path: Path, content: bytes) -> tuple[Path, Stamp]:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            view = memoryview(content)
            # A full disk writes a part and raises only at the next call.
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
            stamp = stamp_of(os.fstat(handle))
        finally:
            os.close(handle)
    except BaseException:
        _forget(temporary)
        raise
    return temporary, stamp


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
