"""Opens files that may come from someone else: regular files alone, of limited size, and not through any link."""

from __future__ import annotations

import errno
import os
import stat
import sysconfig
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Literal, TypeAlias

from tlbench.contracts.errors import StoreError
from tlbench.contracts.untrusted.open_flags import APPEND, NO_LINK, READ

Links: TypeAlias = "Path | Literal['refused', 'followed']"
"""Which links are followed: none ("refused"), all, for a path that the user wrote himself ("followed"), or those that
stay inside of this folder."""

MOST_JSON_BYTES = 2**28
"""Largest JSON file in a folder of results, in bytes."""


def open_regular(path: Path, max_bytes: int | None = None, *, links: Links = "refused") -> FileIO:
    """Returns a regular file, open for reading without a buffer.

    Args:
        path: The file.
        max_bytes: The largest size that is accepted; None for any.
        links: Which links are followed. If they are refused, this concerns the last part of the path alone: whoever
            lists a folder checks once that the folder is none.

    Raises:
        OSError: The path is not a regular file, is a link that is not followed, cannot be read, or is too large. The
            error has the path as its `filename`, and a `strerror` that completes a sentence after the path.
    """
    opened = path
    if isinstance(links, Path):
        opened = path.resolve()
        if not opened.is_relative_to(links.resolve()):
            raise OSError(errno.ELOOP, f"it is a link that leads out of {links}", str(path))
    flags = READ | (0 if links == "followed" else NO_LINK)
    try:
        # O_NONBLOCK: opening a named pipe would otherwise wait for a writer.
        handle = os.open(opened, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link", str(path)) from None
        raise
    try:
        # Of the open file, since another one could take its name between a check by name and the opening. What is
        # neither a file nor a folder may never end, such as /dev/zero.
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        if max_bytes is not None and status.st_size > max_bytes:
            raise OSError(errno.EFBIG, "it is too large", str(path))
    except BaseException:
        os.close(handle)
        raise
    return open(handle, "rb", buffering=0)


def read_regular_file(path: Path, max_bytes: int | None = None, *, links: Links = "refused") -> bytes:
    """Returns the content of a regular file; arguments and errors are those of `open_regular`."""
    with open_regular(path, max_bytes, links=links) as file:
        if max_bytes is None:
            return file.read()
        # Read no further than the size that was checked: another process may be appending.
        return file.read(os.fstat(file.fileno()).st_size)


def open_to_append(path: Path) -> FileIO:
    """Returns a file that is open to append to, and is made if there is none.

    Raises:
        OSError: The path is a link, is not a regular file, or has a second name, perhaps in another folder.
    """
    try:
        handle = os.open(path, APPEND, 0o644)
    except OSError as error:
        # O_NONBLOCK makes a pipe without a reader fail with ENXIO.
        said = {errno.ELOOP: "it is a link", errno.ENXIO: "it is not a regular file"}.get(error.errno or 0)
        raise OSError(error.errno, said or error.strerror, str(path)) from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file of one name", str(path))
    return open(handle, "ab", buffering=0)


def refuse_link(*paths: Path) -> None:
    """Refuses links in place of files and folders of a folder of results, which may come from someone else.

    Raises:
        StoreError: A path is a link, so that what is read or written would be elsewhere.
    """
    for path in paths:
        if path.is_symlink():
            raise StoreError(f"{path}: is a link, and nothing is read or written through links: remove it")


def refuse_unsafe_tree(folder: Path) -> None:
    """Refuses a folder unless it holds regular files and folders alone; a folder that is missing is accepted.

    Raises:
        StoreError: There is a link or a special file.
    """
    for path in (folder, *folder.rglob("*")):
        refuse_link(path)
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise StoreError(f"{path}: not a regular file: remove it")


def links_inside(folder: Path) -> Path:
    """Returns the folder that links in a folder of files from the hub or from the user may not leave.

    It is the folder itself, except that a snapshot in the hub's cache consists of links to the cache's blobs, and that
    the files of an installed package, which is trusted, may all be links.
    """
    if any(folder.is_relative_to(place) for place in _package_folders()):
        return Path(folder.anchor)
    repository = folder.parent.parent
    return repository if folder.parent.name == "snapshots" and (repository / "blobs").is_dir() else folder


@cache
def _package_folders() -> frozenset[Path]:
    """Returns the folders of installed packages."""
    places = sysconfig.get_paths()
    return frozenset(Path(places[name]).resolve() for name in ("purelib", "platlib"))


def reason_of(error: BaseException) -> str:
    """Returns what went wrong with a file, in one line without its path."""
    if isinstance(error, MemoryError):
        return "it is too large"
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:300]
