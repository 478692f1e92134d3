"""Reads and writes sealed JSON files; a damaged file counts as missing, and the log says so in one line."""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tlbench.contracts.untrusted.regular_files import read_regular_file
from tlbench.system.durable import write_durably
from tlbench.system.integrity.sealed_json import sealed, unsealed

T = TypeVar("T")
_MAX_BYTES = 2**30
_log = logging.getLogger(__name__)


def read_sealed(path: Path, kind: type[T]) -> T | None:
    """Returns the value in a file; None if there is no file, or it is damaged or holds something else.

    Files without a digest, which earlier versions wrote, are read as they are.
    """
    try:
        return msgspec.json.decode(unsealed(read_regular_file(path, _MAX_BYTES)), type=kind)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, MemoryError, ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        _log.warning("%s is damaged and counts as missing: %s", path, reason)
        return None


def is_damaged(path: Path, kind: Any) -> bool:
    """Returns whether there is something at a path that `read_sealed` cannot read."""
    return os.path.lexists(path) and read_sealed(path, kind) is None


def put_aside(path: Path, folder: Path) -> None:
    """Moves a damaged file to a folder, where it can be looked at; does nothing if it cannot be moved."""
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        os.replace(path, folder / path.name)


def write_sealed(path: Path, value: object) -> None:
    """Writes a value atomically and flushes it to the disk.

    Raises:
        OSError: The file cannot be written.
    """
    write_durably(path, sealed(msgspec.json.encode(value)))


def write_sealed_quickly(path: Path, value: object) -> None:
    """Writes a value atomically, without flushing it to the disk: a power cut may lose or damage the file.

    Raises:
        OSError: The file cannot be written; its `filename` is set.
    """
    # Readers never see half a file. The random part keeps two processes from writing to one temporary file.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        temporary.write_bytes(sealed(msgspec.json.encode(value)))
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        # A failed write, unlike a failed open, does not say which file it was.
        error.filename = error.filename or str(path)
        raise
