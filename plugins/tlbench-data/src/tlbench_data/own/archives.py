"""Archives in place of folders: unpacked into the user's cache, where no member can leave its folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tlbench import DataError

MOST_MEMBERS = 200_000
MOST_BYTES = 8 * 2**30
"""What an archive may unpack to."""
_ENDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_CHUNK = 2**20
_LAYOUT = 2
"""Raise it when other files come out of an archive: what was unpacked before is then left aside."""
MACOS_FOLDER = "__MACOSX"
"""What macOS adds to archives: a folder beside the content, with a `._` file for each of its files."""


def is_archive(path: Path) -> bool:
    """Says whether the name is that of an archive."""
    return path.name.lower().endswith(_ENDS)


def unpacked(path: Path, most_bytes: int = MOST_BYTES, most_members: int = MOST_MEMBERS) -> Path:
    """Returns the folder with the content of an archive, unpacked once for each content.

    Plain files and folders alone come out: links, devices and paths that lead elsewhere are refused. What macOS adds
    is left out. A single folder at the top is stepped into.

    Raises:
        DataError: Not a whole archive, an unsafe member, or more than may be unpacked.
    """
    try:
        with path.open("rb") as file:
            place = _cache() / f"{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}-{_LAYOUT}"
        if not place.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
            try:
                _unpack(path, draft, most_bytes, most_members)
                _move(draft, place)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: not an archive that can be unpacked: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be unpacked: {error.strerror or error}") from None
    inside = list(place.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else place


def _cache() -> Path:
    home = os.environ.get("TLBENCH_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "tlbench"
    return Path(home).expanduser() / "archives"


def _move(draft: Path, place: Path) -> None:
    try:
        draft.rename(place)
    except OSError:
        # Another process was first: its folder holds the same.
        if not place.is_dir():
            raise


def _unpack(path: Path, folder: Path, most_bytes: int, most_members: int) -> None:
    left = most_bytes
    for count, (name, size, source) in enumerate(_members(path), 1):
        if count > most_members:
            raise DataError(f"{path}: it has more than {most_members} members")
        inside = _inside(path, name)
        with source:
            if MACOS_FOLDER in inside.parts or inside.name.startswith("._"):
                continue
            target = folder / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                # The sizes that an archive states are not believed: what comes out is counted.
                while chunk := source.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0 or size > most_bytes:
                        raise DataError(f"{path}: it unpacks to more than {most_bytes} bytes")
                    file.write(chunk)


def _members(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    return _zipped(path) if path.name.lower().endswith(".zip") else _tarred(path)


def _zipped(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{path}: its member {member.filename!r} is no plain file")
            if not member.is_dir():
                yield member.filename, member.file_size, archive.open(member)


def _tarred(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if not (member.isfile() or member.isdir()):
                raise DataError(f"{path}: its member {member.name!r} is no plain file")
            source = archive.extractfile(member)
            if source is not None:
                yield member.name, member.size, source


def _inside(path: Path, name: str) -> PurePosixPath:
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or "\\" in name or "\0" in name or not inside.parts:
        raise DataError(f"{path}: its member {name!r} would leave the folder")
    return inside
