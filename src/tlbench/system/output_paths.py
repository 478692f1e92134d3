"""Checks a path that a command is going to write to, before any work is done for it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tlbench.contracts.errors import UsageError


def check_output_file(path: Path, option: str) -> None:
    """Does nothing if a file can be written at a path, where it replaces one that exists.

    Args:
        path: The path.
        option: The option that names it, for the message.

    Raises:
        UsageError: The path is a folder or a device, or its folder is missing or cannot be written to.
    """
    mode = _mode(path, option)
    if mode is not None and stat.S_ISDIR(mode):
        raise UsageError(f"{option} {path}: is a folder: name a file in it")
    # A file is written beside it and renamed, which would replace a device such as /dev/null.
    if mode is not None and not stat.S_ISREG(mode):
        raise UsageError(f"{option} {path}: is no regular file: name one")
    if _mode(path.parent, option) is None:
        raise UsageError(f"{option} {path}: there is no folder {path.parent}: make it first")
    _check_writable(path.parent, f"{option} {path}")


def check_new_folder(path: Path, option: str) -> None:
    """Does nothing if a folder can be made at a path, with the folders above it, or is there and empty.

    Raises:
        UsageError: The path is a file, a link, the working directory or a folder with files, or it cannot be made.
    """
    # An empty folder is replaced by a new one: a link would lead to the old one, and a shell would stay in it.
    if os.path.islink(path) or Path(os.path.abspath(path)) == Path.cwd():
        raise UsageError(f"{option} {path}: is a link or the working directory; name a new folder")
    mode = _mode(path, option)
    if mode is not None and (not stat.S_ISDIR(mode) or any(path.iterdir())):
        raise UsageError(f"{option} {path}: it exists already; name a new folder")
    above = next(folder for folder in path.absolute().parents if _mode(folder, option) is not None)
    _check_writable(above, f"{option} {path}")


def _mode(path: Path, option: str) -> int | None:
    """Returns the mode of what a path leads to; None if there is nothing.

    Raises:
        UsageError: The path leads through a file, is too long, or cannot be followed.
    """
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror or error}: name another") from None


def _check_writable(folder: Path, where: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{where}: nothing can be written in {folder}: name another folder")
