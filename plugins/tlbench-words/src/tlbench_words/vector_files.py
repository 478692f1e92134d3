"""Files of word vectors: a word and its numbers in each row, with a space between any two.

GloVe's have no heading; word2vec's and fastText's text formats begin with the number of words and of dimensions.
Rows end at a line feed and columns at a space and at nothing else: words may hold what Unicode takes for either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tlbench import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
"""Raise it when the same file gives other vectors."""
_LONGEST_ROW = 1 << 20
_ENDS = b" \r\n"


@dataclass(frozen=True)
class Facts:
    """What a file says of itself before its numbers are read."""

    digest: str
    """Twelve hex digits over its content."""
    words: int
    width: int
    heading: bool
    """Whether the first row is the number of words and of dimensions."""


@dataclass(frozen=True)
class Vectors:
    """The words of a file and their vectors."""

    table: np.ndarray
    """(words + 1, D) float32; row 0 is zero and stands for every unknown word."""
    vocabulary: Mapping[str, int]
    """Word to row."""
    lower: bool
    """Whether all words are in lower case."""


def pin(text: str) -> tuple[Path, str]:
    """Returns the file and the digest of its content that "<file>[@digest]" stands for.

    Raises:
        UsageError: No such file, or one that holds something else than the digest says.
        DataError: It is no file of vectors.
    """
    whole = Path(text).expanduser()
    if whole.is_file():
        return whole.resolve(), facts(whole.resolve()).digest
    source, at, digest = text.rpartition("@")
    path = Path(source).expanduser()
    if not at or not path.is_file():
        raise UsageError(f"words:{text}: no such file; give one of vectors in text, such as glove.6B.100d.txt")
    found = facts(path.resolve()).digest
    if found != digest:
        raise UsageError(f"words:{text}: the file holds {found} now; name it without @{digest} to use that")
    return path.resolve(), digest


def facts(path: Path) -> Facts:
    """Returns what can be known of a file by reading it once; it is not read again while it stays the same.

    Raises:
        DataError: A row with too few columns.
    """
    state = path.stat()
    return _facts(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=2)
def load_vectors(path: Path, digest: str) -> Vectors:
    """Returns the words and vectors of a file; parsed once a machine, and kept beside tlbench's other caches.

    Raises:
        UsageError: The file is gone, or holds something else than the digest says.
        DataError: A row that is not a word with as many numbers as the first has.
    """
    from tlbench.modeling.disk.disk_cache import kept_arrays

    pin(f"{path}@{digest}")
    key = {"digest": digest, "version": str(VERSION)}
    arrays = kept_arrays("words", key, lambda: read_vectors(path, facts(path)))
    words = bytes(arrays["words"]).decode().split("\n")
    vocabulary = {word: row for row, word in enumerate(words, start=1)}
    return Vectors(arrays["table"], vocabulary, lower=all(word == word.lower() for word in words))


def read_vectors(path: Path, known: Facts) -> dict[str, np.ndarray]:
    """Returns the table, (words + 1, D) float32, and the words, joined by line feeds in UTF-8, as bytes.

    Raises:
        DataError: A row that is not a word with as many numbers as the first has; or a word that stands twice.
    """
    import numpy as np

    table = np.zeros((known.words + 1, known.width), dtype=np.float32)
    rows: dict[bytes, int] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if number == 1 and known.heading:
                continue
            columns = line.rstrip(_ENDS).split(b" ")
            words, numbers = columns[: -known.width], columns[-known.width :]
            # A word may hold spaces (". . ."), but a number within one is a number too many.
            if any(_is_number(part) for part in words[1:]):
                raise DataError(f"{path}: row {number}: {len(columns) - 1} numbers, not {known.width}")
            word = b" ".join(words)
            if not word:
                raise DataError(f"{path}: row {number}: no word before its numbers")
            if word in rows:
                raise DataError(f"{path}: row {number}: {_text(word)} stands in row {rows[word]} already")
            rows[word] = number
            try:
                word.decode()
                table[len(rows)] = [float(value) for value in numbers]
            except UnicodeDecodeError:
                raise DataError(f"{path}: row {number}: {_text(word)} is not UTF-8") from None
            except ValueError:
                wrong = next(value for value in numbers if not _is_number(value))
                raise DataError(f"{path}: row {number}: {_text(wrong)} is not a number") from None
    finite = np.isfinite(table).all(1)
    if not finite.all():
        number = int(finite.argmin()) + known.heading
        raise DataError(f"{path}: row {number}: a number is not finite")
    return {"table": table, "words": np.frombuffer(b"\n".join(rows), dtype=np.uint8)}


@lru_cache(maxsize=64)
def _facts(path: Path, size: int, changed: int) -> Facts:
    whole, rows, width, promised = hashlib.sha256(), 0, 0, None
    with path.open("rb") as file:
        first = file.readline(_LONGEST_ROW)
        columns = first.rstrip(_ENDS).split(b" ")
        heading = len(columns) == 2 and all(column.isdigit() for column in columns)
        if heading:
            promised, width = int(columns[0]), int(columns[1])
        else:
            width = len(columns) - 1
        if not width or not first.endswith(b"\n") or not all(map(_is_number, columns[1:])):
            raise DataError(f"{path}: row 1: not a word and its vector, nor the size of a table of vectors")
        whole.update(first)
        rows = 1
        for line in file:
            whole.update(line)
            rows += 1
            there = line.rstrip(_ENDS).count(b" ")
            if there < width:
                raise DataError(f"{path}: row {rows}: {there} numbers, not {width}")
    words = rows - heading
    if not words:
        raise DataError(f"{path}: no word in it")
    if promised not in (None, words):
        raise DataError(f"{path}: row 1 promises {promised} words, but there are {words}")
    return Facts(whole.hexdigest()[:12], words, width, heading)


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(raw: bytes) -> str:
    return repr(raw.decode(errors="backslashreplace")[:40])
