"""Files that are whole or absent, whenever the process or the machine dies."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Writes the file so that after a crash it holds either its old content or the new, never a part."""
    temporary = _written(path, content)
    try:
        os.replace(temporary, path)
    except BaseException:
        _forget(temporary)
        raise
    _sync_folder(path.parent)


def create_durably(path: Path, content: bytes) -> bool:
    """Creates the file, or returns False where it exists already: of several writers one wins.

    `link` refuses an existing name, which `rename` does not.
    """
    temporary = _written(path, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        _forget(temporary)
    _sync_folder(path.parent)
    return True


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
        return create_durably(path, source.read_bytes())
    _sync_folder(path.parent)
    return True


def _written(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            view = memoryview(content)
            # A full disk writes a part and raises only at the next call.
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
    except BaseException:
        _forget(temporary)
        raise
    return temporary


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
