"""Archives in place of folders: unpacked into the user's cache, where no member can leave its folder."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import shutil
import stat
import tarfile
import unicodedata
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias, cast

from tlbench import DataError

MOST_MEMBERS = 200_000
MOST_BYTES = 8 * 2**30
"""What an archive may unpack to."""
MOST_HEADER_BYTES = 2**20
"""What a tar may hold before the content of one member: long names and whatever else is said of it."""
_ENDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "lzma"}
"""What a compressed tar begins with, to the module that reads it."""
_CHUNK = 2**20
_LAYOUT = 2
"""Raise it when other files come out of an archive: what was unpacked before is then left aside."""
MACOS_FOLDER = "__MACOSX"
"""What macOS adds to archives: a folder beside the content, with a `._` file for each of its files."""
_Member: TypeAlias = "tuple[str, int, IO[bytes] | None]"
"""Name, stated size, and content; a folder has none."""


def is_archive(path: Path) -> bool:
    """Says whether the name is that of an archive."""
    return path.name.lower().endswith(_ENDS)


def unpacked(path: Path, most_bytes: int = MOST_BYTES, most_members: int = MOST_MEMBERS) -> Path:
    """Returns the folder with the content of an archive, unpacked once for each content.

    Plain files and folders alone come out: links, devices, paths that lead elsewhere and names with control characters
    are refused. What macOS adds is left out. A single folder at the top is stepped into.

    Raises:
        DataError: Not a whole archive, an unsafe member, more than may be unpacked, or no place to unpack it to.
    """
    try:
        with path.open("rb") as file:
            place = _cache() / f"{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}-{_LAYOUT}"
        if not place.is_dir():
            # Not one of `tempfile`'s, which are their owner's alone: who may read a shared cache is for the umask.
            draft = place.parent / f".draft-{uuid.uuid4().hex}"
            draft.mkdir(parents=True)
            try:
                _unpack(path, draft, most_bytes, most_members)
                _move(draft, place)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        inside = list(place.iterdir())
        return inside[0] if len(inside) == 1 and inside[0].is_dir() else place
    except (DataError, MemoryError):
        raise
    except OSError as error:
        where = f": {error.filename}" if error.filename not in (None, str(path)) else ""
        raise DataError(f"{path}: cannot be unpacked: {error.strerror or error}{where}") from error
    except Exception as error:
        # For a ruined archive each module that reads one raises its own kinds, and Python's plain ones besides.
        words = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: not an archive that can be unpacked: {words}") from error


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
        if source is None:
            continue
        inside = _inside(path, name)
        with source:
            if size > most_bytes:
                raise DataError(f"{path}: it unpacks to more than {most_bytes} bytes")
            if MACOS_FOLDER in inside.parts or inside.name.startswith("._"):
                continue
            target = folder / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                # The sizes that an archive states are not believed: what comes out is counted.
                while chunk := source.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise DataError(f"{path}: it unpacks to more than {most_bytes} bytes")
                    file.write(chunk)


def _members(path: Path) -> Iterator[_Member]:
    return _zipped(path) if path.name.lower().endswith(".zip") else _tarred(path)


def _zipped(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{path}: its member {member.filename!r} is no plain file")
            yield member.filename, member.file_size, None if member.is_dir() else archive.open(member)


def _tarred(path: Path) -> Iterator[_Member]:
    with path.open("rb") as file:
        start = file.read(max(map(len, _COMPRESSED)))
        file.seek(0)
        module = next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), "")
        source = importlib.import_module(module).open(file) if module else file
        stream = _Stream(source)
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as archive:
            for member in archive:
                if not (member.isfile() or member.isdir()):
                    raise DataError(f"{path}: its member {member.name!r} is no plain file")
                stream.left = member.size
                yield member.name, member.size, archive.extractfile(member)
                stream.left = MOST_HEADER_BYTES
            # For `tarfile` a block that is no header is the end, and it never comes to the checksum, which is the last.
            stream.seek(archive.offset)
            if any(stream.read(tarfile.BLOCKSIZE)):
                raise tarfile.ReadError("there is no header where a member should begin")
            while source.read(_CHUNK):
                pass


class _Stream(io.RawIOBase):
    """A tar's bytes, of which so many may be read: `tarfile` takes whole into memory whatever a header says it is."""

    def __init__(self, source: IO[bytes]) -> None:
        self.left = MOST_HEADER_BYTES
        self._source = source

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes; raises `tarfile.ReadError` if they are more than are left."""
        if not 0 <= size <= self.left:
            raise tarfile.ReadError(f"more than {MOST_HEADER_BYTES} bytes are said of one member")
        self.left -= size
        return self._source.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place; what is passed over is not held."""
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        """Returns the place."""
        return self._source.tell()


def _inside(path: Path, name: str) -> PurePosixPath:
    inside = PurePosixPath(name)
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise DataError(f"{path}: its member {name!r} has control characters in its name")
    if inside.is_absolute() or ".." in inside.parts or "\\" in name or not inside.parts:
        raise DataError(f"{path}: its member {name!r} would leave the folder")
    return inside
