"""Lists, sizes and removes the entries of the cache folder, by file names and states alone.

An entry is a file `<kind>-<32 hex digits>.safetensors`. While it is being written it is the partial file
`.<name>.draft`, locked by its writer; a partial file that can be locked was abandoned by a process that died.
All other files in the folder are left alone. Imports nothing heavy, so that the command line stays fast.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tlbench.contracts.untrusted.open_flags import BINARY, NO_LINK, NOT_INHERITED
from tlbench.system.portable.file_lock import lock_now

_ENTRY = re.compile(r"([a-z][a-z0-9-]*)-[0-9a-f]{32}\.safetensors")
_PARTIAL = re.compile(r"\.[a-z][a-z0-9-]*-[0-9a-f]{32}\.safetensors\.draft")


@dataclass(frozen=True)
class EntryFile:
    """The file of one entry."""

    path: Path
    kind: str
    size_bytes: int
    used: float
    """Time at which the entry was last read or written, in seconds since 1970."""


@dataclass(frozen=True)
class Freed:
    """The number and total size of removed files."""

    entries: int = 0
    size_bytes: int = 0


def entry_path(folder: Path, kind: str, digest: str) -> Path:
    """Returns the path of the entry of this kind whose key has this digest.

    Raises:
        ValueError: The kind is not a short word in lower case.
    """
    path = folder / f"{kind}-{digest}.safetensors"
    # the second test catches a kind with a slash in it, which would leave the folder
    if not _ENTRY.fullmatch(path.name) or path.parent != folder:
        raise ValueError(f"{kind!r}: the kind of an entry is a short word in lower case")
    return path


def entries(folder: Path) -> list[EntryFile]:
    """Returns the entries of a folder, least recently used first; empty if the folder does not exist."""
    result = []
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError), os.scandir(folder) as files:
        for file in files:
            if match := _ENTRY.fullmatch(file.name):
                # another process may remove the file while the folder is read
                with suppress(FileNotFoundError):
                    state = file.stat(follow_symlinks=False)
                    # the modification time, which readers set: many file systems do not keep access times
                    result.append(EntryFile(Path(file.path), match[1], state.st_size, state.st_mtime))
    return sorted(result, key=lambda entry: (entry.used, entry.path.name))


def prune(folder: Path, limit_bytes: int, unused_since: float | None = None, spare: Path | None = None) -> Freed:
    """Removes the least recently used entries until the rest fits the limit, and all entries unused since a time.

    A process that has a removed entry open keeps its data.

    Args:
        folder: The folder of the cache.
        limit_bytes: The maximum total size after pruning; partial files count towards it.
        unused_since: Entries last used before this time (seconds since 1970) are removed even if all entries fit.
        spare: An entry to keep in any case.
    """
    stored = entries(folder)
    total = sum(entry.size_bytes for entry in stored) + sum(_size(partial) for partial in _partial_files(folder))
    removed = size = 0
    for entry in stored:
        # partial files can exceed the limit on their own, and would push out even the entry just written
        if entry.path == spare:
            continue
        if total - size <= limit_bytes and (unused_since is None or entry.used >= unused_since):
            break
        with suppress(FileNotFoundError):
            entry.path.unlink()
            removed += 1
        # counted even if another process removed it first: the space is free either way
        size += entry.size_bytes
    return Freed(removed, size)


def sweep(folder: Path) -> Freed:
    """Removes partial files that were abandoned by their writers."""
    count = size = 0
    for partial in _partial_files(folder):
        # a live writer holds the lock: flock raises BlockingIOError, an OSError, and the file is skipped
        with suppress(OSError), _opened(partial) as handle:
            lock_now(handle)
            # since it was opened it may have been committed, and the name given to a new file
            if is_at(handle, partial):
                freed = os.fstat(handle).st_size
                partial.unlink()
                count, size = count + 1, size + freed
    return Freed(count, size)


def is_at(handle: int, path: Path) -> bool:
    """Returns whether an open file is still the one at this path."""
    try:
        there = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    here = os.fstat(handle)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _partial_files(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError), os.scandir(folder) as files:
        return [Path(file.path) for file in files if _PARTIAL.fullmatch(file.name)]
    return []


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat(follow_symlinks=False).st_size
    return 0


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | BINARY | NOT_INHERITED | NO_LINK)
    try:
        yield handle
    finally:
        os.close(handle)
