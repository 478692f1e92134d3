"""Reads text files strictly: whole, line by line, or two in parallel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tlbench import DataError
from tlbench.contracts.untrusted.expansion import unpacked_gzip
from tlbench.contracts.untrusted.regular_files import read_regular_file, reason_of
from tlbench_data.readers.rows import Row

MOST_BYTES = 4 * 2**30
"""Maximum size in bytes of a file, which is read as a whole, and of the content of a compressed one."""


def content(path: Path) -> bytes:
    """Returns the bytes of a file; `.gz` files are unpacked.

    Raises:
        DataError: The file is missing, or cannot be unpacked.
    """
    try:
        # Links that the user did not write himself are refused where files are looked for.
        if path.suffix.lower() == ".gz":
            return unpacked_gzip(path, MOST_BYTES, links="followed")
        return read_regular_file(path, MOST_BYTES, links="followed")
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: {reason_of(error)}") from None


def decoded(path: Path, encoding: str = "utf-8") -> str:
    """Returns the text of a file, without a byte order mark.

    Raises:
        DataError: The file is missing, or not in this encoding (with byte and line).
    """
    raw = content(path)
    try:
        # Excel writes a byte order mark, which would become part of the first column's name.
        return raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        name = "UTF-8" if encoding == "utf-8" else encoding
        raise DataError(
            f"{path}, line {line}: not {name} (byte {error.start}); set encoding= if it is another"
        ) from None
    except LookupError:
        raise DataError(f"{path}: Python has no encoding {encoding!r}") from None
    # Some codecs raise the general exception, without a position.
    except UnicodeError as error:
        raise DataError(f"{path}: not {encoding}: {error}; set encoding= if it is another") from None


def lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Yields the number of each line, from 1, and its text; an empty last line is left out.

    Only a line feed ends a line, because texts contain other characters that `str.splitlines` splits at. In a file
    without line feeds, as from old Macs, carriage returns end the lines.
    """
    text = decoded(path, encoding)
    whole = text.split("\n" if "\n" in text else "\r")
    if whole and not whole[-1]:
        whole.pop()
    for number, line in enumerate(whole, 1):
        # A carriage return is left over from Windows line ends.
        yield number, line.removesuffix("\r")


def parallel(source: Path, target: Path, encoding: str = "utf-8") -> Iterator[Row]:
    """Yields pairs of lines as rows with the columns `source` and `target`.

    Raises:
        DataError: A file cannot be read, or they have different numbers of lines.
    """
    left, right = list(lines(source, encoding)), list(lines(target, encoding))
    if len(left) != len(right):
        raise DataError(
            f"{source} has {len(left)} lines and {target} has {len(right)}; line by line, they must be translations"
        )
    for (number, text), (_, translation) in zip(left, right, strict=True):
        yield Row(source, number, {"source": text, "target": translation})
