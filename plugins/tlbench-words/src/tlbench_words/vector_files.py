"""Reads text files of word vectors: one word and its numbers per line, separated by single spaces.

GloVe's files have no header; word2vec's and fastText's begin with the number of words and dimensions. Lines are split
at line feeds and columns at ASCII spaces only, because words may contain other Unicode white space.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tlbench import DataError, UsageError
from tlbench.contracts.untrusted.regular_files import open_regular, reason_of

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
"""Increase this when the same file produces different vectors; it is part of the cache key."""
# Maximum number of bytes to read as the first line, because a binary file may have no line feed at all.
_LONGEST_ROW = 1 << 20
_MOST_DIGITS = 12
"""Number of digits of the largest number of words or dimensions in a header."""
_ENDS = b" \r\n"


@dataclass(frozen=True)
class VectorFileHeader:
    """A file's digest and table size, determined in one pass that parses no vectors."""

    digest: str
    """First twelve hex digits of the content's SHA-256."""
    words: int
    width: int
    heading: bool
    """Whether the first line is a header with the number of words and dimensions."""


@dataclass(frozen=True)
class Vectors:
    """A file's vocabulary and vectors."""

    table: np.ndarray
    """(words + 1, D) float32; row 0 is zero and is used for every unknown word."""
    vocabulary: Mapping[str, int]
    """Maps a word to its row."""
    lower: bool
    """Whether all words are lower-case."""


def pin(text: str) -> tuple[Path, str]:
    """Returns the path and content digest of "<file>[@digest]".

    Raises:
        UsageError: The file is missing, or its content does not match the digest.
        DataError: The file is not a table of word vectors.
    """
    # The whole text is tried as a file first, because a file's name may itself contain an @.
    whole = Path(text).expanduser()
    if whole.is_file():
        return whole.resolve(), read_header(whole.resolve()).digest
    source, at, digest = text.rpartition("@")
    path = Path(source).expanduser()
    if not at or not path.is_file():
        raise UsageError(f"words:{text}: no such file; give a text file of vectors, such as glove.6B.100d.txt")
    current = read_header(path.resolve()).digest
    if current != digest:
        raise UsageError(f"words:{text}: the file's digest is now {current}; drop @{digest} to use it as it is")
    return path.resolve(), digest


def read_header(path: Path) -> VectorFileHeader:
    """Returns the digest and table size of a file; it is read again only if its size or modification time changes.

    Raises:
        DataError: A line has too few columns, or the header does not match the number of lines.
    """
    state = path.stat()
    return _read_header(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=2)
def load_vectors(path: Path, digest: str) -> Vectors:
    """Returns the vocabulary and vectors of a file, parsed once per machine and then read from the disk cache.

    Raises:
        UsageError: The file is missing, or its content does not match the digest.
        DataError: The file has an invalid line (see `read_vectors`).
    """
    # Raises if the file changed since it was named: the cache entry is for the digest, not for the path.
    pin(f"{path}@{digest}")
    return cached_vectors(digest, lambda: read_vectors(path, read_header(path)))


def cached_vectors(digest: str, read: Callable[[], dict[str, np.ndarray]]) -> Vectors:
    """Returns the vocabulary and vectors with this digest from the disk cache, or from `read` if they are not cached.

    Args:
        digest: Digest of the files that `read` reads.
        read: Returns the arrays that `read_vectors` returns.
    """
    from tlbench.modeling.disk.disk_cache import cached_arrays

    arrays = cached_arrays("words", {"digest": digest, "version": str(VERSION)}, read)
    words = bytes(arrays["words"]).decode().split("\n")
    vocabulary = {word: row for row, word in enumerate(words, start=1)}
    return Vectors(arrays["table"], vocabulary, lower=all(word == word.lower() for word in words))


def read_vectors(path: Path, header: VectorFileHeader) -> dict[str, np.ndarray]:
    """Returns "table", (words + 1, D) float32 with zeros in row 0, and "words".

    "words" holds the words of rows 1, 2, ... as UTF-8 bytes separated by line feeds, uint8.

    Raises:
        DataError: A line is not a UTF-8 word followed by as many numbers as in the first line, repeats a word, or has a
            number that is not finite.
    """
    import numpy as np

    table = np.zeros((header.words + 1, header.width), dtype=np.float32)
    rows: dict[bytes, int] = {}
    with _opened(path) as file:
        for number, line in enumerate(_lines(file, path), start=1):
            if number == 1 and header.heading:
                continue
            columns = line.rstrip(_ENDS).split(b" ")
            words, numbers = columns[: -header.width], columns[-header.width :]
            # GloVe has words with spaces (". . ."), so the numbers are counted from the right; a number among the
            # word's parts means that the line has more numbers than expected.
            if any(_is_number(part) for part in words[1:]):
                raise DataError(f"{path}: row {number}: {len(columns) - 1} numbers where {header.width} are expected")
            word = b" ".join(words)
            if not word:
                raise DataError(f"{path}: row {number}: no word before its numbers")
            if word in rows:
                raise DataError(f"{path}: row {number}: {_shown(word)} is in row {rows[word]} already")
            rows[word] = number
            try:
                # Decoded only to check it: the cache stores bytes.
                word.decode()
                table[len(rows)] = [float(value) for value in numbers]
            except UnicodeDecodeError:
                raise DataError(f"{path}: row {number}: {_shown(word)} is not UTF-8") from None
            except ValueError:
                wrong = next(value for value in numbers if not _is_number(value))
                raise DataError(f"{path}: row {number}: {_shown(wrong)} is not a number") from None
    finite = np.isfinite(table).all(1)
    if not finite.all():
        # Table row i comes from line i, or i + 1 where there is a header.
        number = int(finite.argmin()) + header.heading
        raise DataError(f"{path}: row {number}: a number is not finite")
    return {"table": table, "words": np.frombuffer(b"\n".join(rows), dtype=np.uint8)}


@lru_cache(maxsize=64)
def _read_header(path: Path, size: int, changed: int) -> VectorFileHeader:
    sha256, rows, width, declared = hashlib.sha256(), 0, 0, None
    with _opened(path) as file:
        first = file.readline(_LONGEST_ROW)
        columns = first.rstrip(_ENDS).split(b" ")
        # Two whole numbers are taken for word2vec's header, although a number as the word of a one-dimensional vector
        # would look the same.
        heading = len(columns) == 2 and all(column.isdigit() and len(column) <= _MOST_DIGITS for column in columns)
        if heading:
            declared, width = int(columns[0]), int(columns[1])
        else:
            width = len(columns) - 1
        if not width or not first.endswith(b"\n") or not all(map(_is_number, columns[1:])):
            raise DataError(
                f"{path}: row 1: neither a word with its vector nor a header with the number of words and dimensions"
            )
        sha256.update(first)
        rows = 1
        for line in _lines(file, path, rows + 1):
            sha256.update(line)
            rows += 1
            numbers = line.rstrip(_ENDS).count(b" ")
            if numbers < width:
                raise DataError(f"{path}: row {rows}: {numbers} numbers where {width} are expected")
    words = rows - heading
    if not words:
        raise DataError(f"{path}: the file has a header but no words")
    if declared not in (None, words):
        raise DataError(f"{path}: row 1 declares {declared} words, but the file has {words}; is it complete?")
    return VectorFileHeader(sha256.hexdigest()[:12], words, width, heading)


def _opened(path: Path) -> BinaryIO:
    try:
        return BufferedReader(open_regular(path, links="followed"))
    except OSError as error:
        raise DataError(f"{path}: {reason_of(error)}") from None


def _lines(file: BinaryIO, path: Path, start: int = 1) -> Iterator[bytes]:
    """Yields the lines of a file from here on; a file without line ends would otherwise be read as a whole."""
    number = start
    while line := file.readline(_LONGEST_ROW):
        if len(line) == _LONGEST_ROW:
            raise DataError(f"{path}: row {number}: longer than {_LONGEST_ROW:,} bytes")
        yield line
        number += 1


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shown(raw: bytes) -> str:
    return repr(raw.decode(errors="backslashreplace")[:40])
