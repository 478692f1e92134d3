"""Folders of image data, or archives of them, that a task's name refers to and pins by a digest."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from tlbench import DataError
from tlbench_data.own.archives import is_archive, unpacked
from tlbench_data.own.named_files import absolute
from tlbench_data.own.other_sources import tables_hint


def path_and_digest(scheme: str, text: str) -> tuple[Path, str]:
    """Splits `<path>[@digest]` into the absolute path and the digest, which is "" if not given.

    Raises:
        DataError: The path is neither a folder nor an archive.
    """
    # The whole text is tried as a path first, since a folder's name may itself contain an @.
    whole = Path(text).expanduser()
    if text and (whole.is_dir() or (whole.is_file() and is_archive(whole))):
        return absolute(whole), ""
    path, at, digest = text.rpartition("@")
    if at and path:
        return path_and_digest(scheme, path)[0], digest
    if whole.is_file():
        raise DataError(
            f"{scheme}{text}: {tables_hint(whole) or 'this is a file'}; give a folder, or an archive of one"
        )
    raise DataError(f"{scheme}{text}: no such folder")


def named_path(name: str) -> Path:
    """Returns the path in a task's name, `<scheme>:<path>@<digest>`; an archive is not unpacked."""
    return Path(name.partition(":")[2].rpartition("@")[0])


def checked_digest(scheme: str, text: str, given: str, current: str) -> str:
    """Returns `current`, the digest of the present content.

    Raises:
        DataError: A digest is given and differs from it.
    """
    if given and given != current:
        raise DataError(f"{scheme}{text}: its digest is now {current}; drop @{given} to use it as it is")
    return current


def folder_at(path: Path) -> Path:
    """Returns the path itself if it is a folder; for an archive, the folder that it is unpacked to.

    Raises:
        DataError: The archive cannot be unpacked safely.
    """
    if not is_archive(path):
        return path
    # Size and modification time are the key: hashing the archive again on every access would take seconds.
    return _unpack_once(path, path.stat().st_size, path.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _unpack_once(archive: Path, size: int, changed: int) -> Path:
    return unpacked(archive)
