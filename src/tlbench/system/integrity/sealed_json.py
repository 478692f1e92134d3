"""JSON that begins with a digest of the rest of it, and digests of files.

    >>> sealed(b'{"score":0.5}')
    b'{"digest":"4f7a2254aaae249b97ef35a483099137","score":0.5}'

The digest finds damage, not intent: anybody who can change a file can change its digest too.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from tlbench.contracts.untrusted.regular_files import open_regular

_FORMS = ((b"{", b'{"digest":"'), (b"[", b'["digest:'))
"""The first character of an object or an array, and the first characters of a sealed one."""
_DIGITS = 32
_HEX = re.compile(rb"[0-9a-f]{32}")
_BLOCK = 2**20
_LARGEST = 2**32
"""The largest file of predictions in bytes; a sparse file of terabytes takes no room where it is sent from."""


class DamagedFileError(ValueError):
    """A file that has changed since it was written."""

    def __init__(self) -> None:
        super().__init__("its digest differs, so it has changed since it was written")


def digest_of(content: bytes) -> str:
    """Returns the digest of some content, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=_DIGITS // 2).hexdigest()


def file_digest(path: Path, max_bytes: int | None = _LARGEST) -> str:
    """Returns the digest of a file, which is read block by block; None for a file of any size.

    Raises:
        OSError: The file is a link, is not a regular file, is too large or cannot be read.
    """
    digest = hashlib.blake2b(digest_size=_DIGITS // 2)
    with open_regular(path, max_bytes) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sealed(encoded: bytes) -> bytes:
    """Returns a JSON object or array with its digest as its first key or element.

    Raises:
        ValueError: It is neither an object nor an array.
    """
    for first, start in _FORMS:
        if encoded.startswith(first):
            rest = encoded[1:]
            comma = b"" if rest[:1] in b"}]" else b","
            return start + digest_of(encoded).encode() + b'"' + comma + rest
    raise ValueError("only objects and arrays can hold a digest")


def unsealed(content: bytes) -> bytes:
    """Returns the JSON in a file without its digest; content without a digest is returned as it is.

    Raises:
        DamagedFileError: The content has a digest, and it is not that of the rest.
    """
    for first, start in _FORMS:
        given = content[len(start) : len(start) + _DIGITS]
        has_start = content.startswith(start)
        if not has_start and not _HEX.fullmatch(given):
            continue
        rest = content[len(start) + _DIGITS + 1 :]
        original = first + rest.removeprefix(b",")
        if digest_of(original).encode() != given:
            if has_start:
                raise DamagedFileError
            continue
        # The digest is right, so what else differs is the key of the digest itself.
        if content != sealed(original):
            raise DamagedFileError
        return original
    return content
