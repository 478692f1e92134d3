"""Unpacks archives that are given in place of folders into the user's cache, safely."""

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
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias, cast

from tlbench import DataError
from tlbench.contracts.untrusted.expansion import most_bytes_from
from tlbench.contracts.untrusted.regular_files import open_regular, reason_of
from tlbench_data.unpacked_digests import CONTENT, is_as_unpacked, note_digests

MOST_MEMBERS = 200_000
MOST_BYTES = 8 * 2**30
"""Maximum number of bytes that an archive may unpack to."""
MOST_HEADER_BYTES = 2**20
"""Maximum number of bytes that may be read from a tar for the headers, such as long names, of one member."""
_ENDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\0": "lzma"}
"""Maps the magic number of a compressed tar to the name of the module that reads it."""
_CHUNK = 2**20
_ENCRYPTED = 1
"""Bit of a zip member's flags that marks it as encrypted."""
_LAYOUT = 3
"""To be increased when the rules for unpacking change; cached folders of older layouts are then ignored."""
MACOS_FOLDER = "__MACOSX"
"""Folder that macOS adds to archives, with a `._` file for each file of the content."""
_checked: set[Path] = set()
"""The folders that this process has unpacked or has compared with their digests."""
_Member: TypeAlias = "tuple[str, int, IO[bytes] | None]"
"""Name, declared size, and content; a folder has no content."""


def is_archive(path: Path) -> bool:
    """Returns whether the file's name ends like that of an archive."""
    return path.name.lower().endswith(_ENDS)


def unpacked(path: Path, most_bytes: int = MOST_BYTES, most_members: int = MOST_MEMBERS) -> Path:
    """Returns the folder with an archive's content, which is unpacked unless the cache has it unchanged.

    The cache may be shared. Once in each process, every file that was unpacked earlier is compared with the digests
    that were noted then; what was changed, or was unpacked by another user, is unpacked again.

    Only regular files and folders are unpacked: links, devices, paths out of the folder and names with control
    characters are refused, and macOS metadata is skipped. If there is a single folder at the top, that folder is
    returned.

    Raises:
        DataError: The archive is damaged, unsafe or too large, or the cache cannot be written.
    """
    try:
        with open_regular(path, links="followed") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            name = f"{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}-{_LAYOUT}"
        folder = cache_folder() / "archives" / name
        if not (folder in _checked and folder.is_dir()) and not is_as_unpacked(folder):
            temporary = folder.parent / f".draft-{uuid.uuid4().hex}"
            # Not made by `tempfile`, whose folders only their owner can read: in a shared cache the umask decides.
            (temporary / CONTENT).mkdir(parents=True)
            try:
                _unpack(path, temporary / CONTENT, min(most_bytes, most_bytes_from(size)), most_members)
                note_digests(temporary)
                _move(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        _checked.add(folder)
        folder = folder / CONTENT
        entries = list(folder.iterdir())
        return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder
    except (DataError, MemoryError):
        raise
    except OSError as error:
        where = f": {error.filename}" if error.filename not in (None, str(path)) else ""
        raise DataError(f"{path}: cannot be unpacked: {reason_of(error)}{where}") from error
    except Exception as error:
        # Besides zipfile's and tarfile's own exceptions, damaged archives raise zlib.error, struct.error, ValueError
        # and more.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: not an archive that can be unpacked: {reason}") from error


def named_by_archive(message: str, path: Path) -> str:
    """Returns a message with an archive's own name in place of the folder in the cache that it was unpacked to."""
    return message.replace(str(unpacked(path)), str(path)) if is_archive(path) and path.is_file() else message


def cache_folder() -> Path:
    """Returns the folder of tlbench's cache, which may not exist yet."""
    home = os.environ.get("TLBENCH_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "tlbench"
    return Path(home).expanduser()


def _move(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:
        if is_as_unpacked(folder):
            # Another process unpacked the same archive first.
            return
        # What is there was changed, or belongs to another user.
        _put_aside(folder)
        temporary.rename(folder)


def _put_aside(folder: Path) -> None:
    aside = folder.parent / f".draft-{uuid.uuid4().hex}"
    with suppress(FileNotFoundError):
        folder.rename(aside)
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.unlink(missing_ok=True)


def _unpack(path: Path, folder: Path, most_bytes: int, most_members: int) -> None:
    remaining = most_bytes
    for count, (name, size, source) in enumerate(_members(path), 1):
        if count > most_members:
            raise DataError(f"{path}: it has more than {most_members} members")
        if source is None:
            continue
        relative = _relative_path(path, name)
        # The path is checked before anything is skipped, so that an unsafe member is always refused.
        with source:
            if size > most_bytes:
                raise DataError(f"{path}: it unpacks to more than {most_bytes} bytes")
            if MACOS_FOLDER in relative.parts or relative.name.startswith("._"):
                continue
            target = folder / relative
            if target.is_file():
                raise DataError(f"{path}: two of its members are called {name!r}")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                # Declared sizes cannot be trusted, so the bytes are counted as they come out.
                while chunk := source.read(_CHUNK):
                    remaining -= len(chunk)
                    if remaining < 0:
                        raise DataError(f"{path}: it unpacks to more than {most_bytes} bytes")
                    file.write(chunk)


def _members(path: Path) -> Iterator[_Member]:
    return _zip_members(path) if path.name.lower().endswith(".zip") else _tar_members(path)


def _zip_members(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            # The upper half has Unix mode bits; archives from Windows leave it 0.
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{path}: its member {member.filename!r} is not a regular file")
            if member.flag_bits & _ENCRYPTED:
                raise DataError(f"{path}: its member {member.filename!r} is encrypted; unpack it yourself")
            # Some programs on Windows separate folders by backslashes, against the standard of zip.
            name = member.filename.replace("\\", "/")
            yield name, member.file_size, None if name.endswith("/") else archive.open(member)


def _tar_members(path: Path) -> Iterator[_Member]:
    with open_regular(path, links="followed") as file:
        # Recognised by content, not by name: published .tar files are often compressed.
        start = file.read(max(map(len, _COMPRESSED)))
        file.seek(0)
        module = next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), "")
        source = importlib.import_module(module).open(file) if module else file
        stream = _LimitedReader(source)
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as archive:
            for member in archive:
                if not (member.isfile() or member.isdir()):
                    raise DataError(f"{path}: its member {member.name!r} is not a regular file")
                # The consumer may now read this member's content, and afterwards the next header.
                stream.remaining = member.size
                yield member.name, member.size, archive.extractfile(member)
                stream.remaining = MOST_HEADER_BYTES
            # tarfile takes any block that is not a header for the end of the archive, so a damaged one would look
            # complete. It also stops before the compressed stream's checksum, which is at its very end.
            stream.seek(archive.offset)
            if any(stream.read(tarfile.BLOCKSIZE)):
                raise tarfile.ReadError("there is no header where a member should begin")
            while source.read(_CHUNK):
                pass


class _LimitedReader(io.RawIOBase):
    """Limits how many bytes of a tar may be read, because tarfile reads headers of any declared size into memory."""

    def __init__(self, source: IO[bytes]) -> None:
        self.remaining = MOST_HEADER_BYTES
        self._source = source

    def read(self, size: int = -1) -> bytes:
        """Reads at most `size` bytes, fewer at the end of the source.

        Raises:
            tarfile.ReadError: `size` is negative or exceeds the bytes that may still be read.
        """
        if not 0 <= size <= self.remaining:
            raise tarfile.ReadError(f"the headers of one member have more than {MOST_HEADER_BYTES} bytes")
        self.remaining -= size
        return self._source.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position and returns it; skipped bytes are not kept in memory."""
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        """Returns the position."""
        return self._source.tell()


def _relative_path(path: Path, name: str) -> PurePosixPath:
    """Returns a member's path relative to the archive's root.

    Raises:
        DataError: The path leads out of the archive's folder, or the name has control characters.
    """
    relative = PurePosixPath(name)
    # Control characters in a file name could reach a terminal through any later message.
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise DataError(f"{path}: its member {name!r} has control characters in its name")
    # In a tar a backslash is a character of the name, but where the folder is copied to it may separate folders.
    if relative.is_absolute() or ".." in relative.parts or "\\" in name or not relative.parts:
        raise DataError(f"{path}: its member {name!r} would leave the folder")
    return relative
