"""The folder of the cache as anybody may look at it: which entries there are, how large and how old; what may go.

An entry is a file `<kind>-<32 hex digits>.safetensors`; while it is being written it is `.<name>.draft`, and whoever
writes it holds a lock on that file. So a draft that can be locked was left behind by a process that died.
Other files are nobody's business here. Imports nothing heavy.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_ENTRY = re.compile(r"([a-z][a-z0-9-]*)-[0-9a-f]{32}\.safetensors")
_DRAFT = re.compile(r"\.[a-z][a-z0-9-]*-[0-9a-f]{32}\.safetensors\.draft")


@dataclass(frozen=True)
class EntryFile:
    """One entry, as its file's name and state tell."""

    path: Path
    kind: str
    size_bytes: int
    used: float
    """When it was last read or written, in seconds since 1970."""


@dataclass(frozen=True)
class Freed:
    """What was removed."""

    entries: int = 0
    size_bytes: int = 0


def entry_path(folder: Path, kind: str, digest: str) -> Path:
    """Returns where the entry of this kind is whose key has this digest.

    Raises:
        ValueError: The kind is no word in lower case.
    """
    path = folder / f"{kind}-{digest}.safetensors"
    if not _ENTRY.fullmatch(path.name) or path.parent != folder:
        raise ValueError(f"{kind!r}: the kind of an entry is a short word in lower case")
    return path


def entries(folder: Path) -> list[EntryFile]:
    """Returns the entries of a folder, the longest unused first; none if there is no such folder."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as files:
        for file in files:
            if match := _ENTRY.fullmatch(file.name):
                with suppress(FileNotFoundError):
                    state = file.stat(follow_symlinks=False)
                    found.append(EntryFile(Path(file.path), match[1], state.st_size, state.st_mtime))
    return sorted(found, key=lambda entry: (entry.used, entry.path.name))


def prune(folder: Path, limit_bytes: int, unused_since: float | None = None, spare: Path | None = None) -> Freed:
    """Removes the longest unused entries until the rest fits the limit, and all that were last used before a time.

    A process that has a removed entry open keeps what it has. What others are writing counts towards the limit, so
    that even the newest entry could go: `spare` stays.
    """
    found = entries(folder)
    total = sum(entry.size_bytes for entry in found) + sum(_size(draft) for draft in _drafts(folder))
    removed = size = 0
    for entry in found:
        if entry.path == spare:
            continue
        if total - size <= limit_bytes and (unused_since is None or entry.used >= unused_since):
            break
        with suppress(FileNotFoundError):
            entry.path.unlink()
            removed += 1
        # whoever removed it, it takes no room any more
        size += entry.size_bytes
    return Freed(removed, size)


def sweep(folder: Path) -> Freed:
    """Removes the drafts that nobody is writing any more."""
    count = size = 0
    for draft in _drafts(folder):
        with suppress(OSError), _opened(draft) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(handle, draft):
                found = os.fstat(handle).st_size
                draft.unlink()
                count, size = count + 1, size + found
    return Freed(count, size)


def is_at(handle: int, path: Path) -> bool:
    """Says whether an open file is still the one at this path."""
    try:
        there = os.stat(path, follow_symlinks=False)
    except OSError:
        return False
    here = os.fstat(handle)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _drafts(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as files:
        return [Path(file.path) for file in files if _DRAFT.fullmatch(file.name)]
    return []


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat(follow_symlinks=False).st_size
    return 0


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)
