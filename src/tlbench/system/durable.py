"""Writes files that are complete or absent after a crash of the process or the machine."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TypeAlias

from tlbench.contracts.untrusted.open_flags import BINARY

Stamp: TypeAlias = tuple[int, int]
"""The size of a file in bytes and its modification time in nanoseconds, by which a change of the file is detected."""


def stamp_of(status: os.stat_result) -> Stamp:
    """Returns the stamp of a file, given its `os.stat` result."""
    return status.st_size, status.st_mtime_ns


def write_durably(path: Path, content: bytes) -> Stamp:
    """Writes a file atomically and returns its stamp: after a crash it holds either its old or its new content."""
    temporary, stamp = _write_temporary(path, content)
    try:
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise
    # a rename is on disk only once its folder is
    sync_folder(path.parent)
    return stamp


def create_durably(path: Path, content: bytes) -> Stamp | None:
    """Creates a file atomically and returns its stamp, or None if it exists already.

    Of several processes that create the same file, only one succeeds.
    """
    temporary, stamp = _write_temporary(path, content)
    try:
        # link fails if the name exists, where rename would silently replace another writer's file
        os.link(temporary, path)
    except FileExistsError:
        return None
    finally:
        _remove(temporary)
    sync_folder(path.parent)
    return stamp


def link_durably(source: Path, path: Path) -> bool:
    """Gives a complete file a second name by a hard link, or else a copy; returns False if that name exists already."""
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
        # another file system, or one without hard links: copy
        return create_durably(path, source.read_bytes()) is not None
    sync_folder(path.parent)
    return True


def replace_durably(source: Path, path: Path) -> None:
    """Gives a complete file a second name atomically; a file that already has this name is replaced."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        link_durably(source, temporary)
        os.replace(temporary, path)
    finally:
        _remove(temporary)
    sync_folder(path.parent)


def _write_temporary(path: Path, content: bytes) -> tuple[Path, Stamp]:
    """Writes content to a synced temporary file beside `path`; returns its path and stamp."""
    # in the same folder, because a rename or link cannot cross file systems
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o644)
        try:
            view = memoryview(content)
            # a nearly full disk accepts a part without an error and raises only at the next call
            while view:
                view = view[os.write(handle, view) :]
            # before the rename: otherwise the new name could reach the disk before the content
            os.fsync(handle)
            # taken here: once the file has its name, another process may replace it
            stamp = stamp_of(os.fstat(handle))
        finally:
            os.close(handle)
    except BaseException as error:
        _remove(temporary)
        if isinstance(error, OSError):
            # A failed write does not say which file it was, and a failed open names the temporary one.
            error.filename = str(path)
        raise
    return temporary, stamp


def sync_folder(folder: Path) -> None:
    """Flushes the names in a folder to the disk: a file is there after a power cut only once its name is."""
    if os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
