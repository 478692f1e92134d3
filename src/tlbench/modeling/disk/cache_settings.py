"""The settings of the cache (folder, size limit, disk space to leave free), and parsing of sizes and ages."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from tlbench.contracts.errors import UsageError

FOLDER_VARIABLE = "TLBENCH_CACHE"
LIMIT_VARIABLE = "TLBENCH_CACHE_LIMIT"
DEFAULT_LIMIT = "10GiB"
RESERVE_BYTES = 1 << 29
"""Free space to leave on the disk, since the run's records may be on it too."""

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)
_SIZES = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    # a bare letter is binary (1G = 1 GiB), as in `du` and `docker`
    _SIZES |= {f"{_letter}b": 1000**_power, f"{_letter}ib": 1024**_power, _letter: 1024**_power}
_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def folder() -> Path:
    """Returns the folder of the cache: TLBENCH_CACHE, else `tlbench` in the user's cache folder (XDG)."""
    value = os.environ.get(FOLDER_VARIABLE)
    if value:
        return Path(value).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser().absolute() / "tlbench"


def limit_bytes() -> int:
    """Returns the largest total size of the cache; 0 disables the cache.

    Raises:
        UsageError: The variable or the configured text is not a size.
    """
    return parse_size(*configured_limit())


def configured_limit() -> tuple[str, str]:
    """Returns the size limit as text, and where it is set: the variable's name, the file's path, or "" for the default.

    The environment comes first, so that one run can have another limit than the machine.
    """
    if value := os.environ.get(LIMIT_VARIABLE):
        return value, LIMIT_VARIABLE
    file = limit_file()
    with suppress(OSError, UnicodeError):
        # An empty file, as an editor may leave behind, sets no limit.
        if text := file.read_text(encoding="utf-8").strip():
            return text, str(file)
    return DEFAULT_LIMIT, ""


def limit_file() -> Path:
    """Returns the path of the file that holds this user's size limit; it may not exist."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser().absolute() / "tlbench" / "cache-limit"


def parse_size(text: str, source: str) -> int:
    """Returns the number of bytes in a text such as "20GiB", "500MB", "1.5G" or "0".

    Args:
        text: A number with an optional unit, in any case.
        source: The option or variable that holds the text, for the error message.

    Raises:
        UsageError: The text is not a size.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None or match[2].lower() not in _SIZES:
        raise UsageError(f"{source} {text}: a size such as 20GiB, 500MB, or 0 for none is expected")
    return int(float(match[1]) * _SIZES[match[2].lower()])


def parse_age(text: str, source: str) -> float:
    """Returns the number of seconds in a text such as "30d", "12h", "90m" or "2w".

    Args:
        text: A number with a unit.
        source: The option or variable that holds the text, for the error message.

    Raises:
        UsageError: The text is not an age.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None or match[2].lower() not in _AGES:
        raise UsageError(f"{source} {text}: an age such as 30d, 12h, 90m or 2w is expected")
    return float(match[1]) * _AGES[match[2].lower()]


def size_text(count: int) -> str:
    """Returns a number of bytes in a readable form: 12 bytes, 3.4 MiB."""
    if count < 1024:
        return f"{count} bytes"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"
