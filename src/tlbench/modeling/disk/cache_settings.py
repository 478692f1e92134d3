"""Where the cache on disk is and how large it may grow; sizes and ages as people write them. Imports nothing heavy."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tlbench.contracts.errors import UsageError

FOLDER_VARIABLE = "TLBENCH_CACHE"
LIMIT_VARIABLE = "TLBENCH_CACHE_LIMIT"
DEFAULT_LIMIT = "10GiB"

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)
_SIZES = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    # `G` alone is what `du` and `docker` mean by it
    _SIZES |= {f"{_letter}b": 1000**_power, f"{_letter}ib": 1024**_power, _letter: 1024**_power}
_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def folder() -> Path:
    """Returns the folder of the cache: as TLBENCH_CACHE says, else below the user's folder for caches."""
    said = os.environ.get(FOLDER_VARIABLE)
    if said:
        return Path(said).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser().absolute() / "tlbench"


def limit_bytes() -> int:
    """Returns how large the cache may grow: as TLBENCH_CACHE_LIMIT says, or 10 GiB; 0 switches it off.

    Raises:
        UsageError: The variable holds no size.
    """
    said = os.environ.get(LIMIT_VARIABLE)
    return parse_size(said, LIMIT_VARIABLE) if said else parse_size(DEFAULT_LIMIT, "")


def parse_size(text: str, source: str) -> int:
    """Returns the bytes that "20GiB", "500MB", "1.5G" or "0" stand for; `source` is who said so.

    Raises:
        UsageError: It is no size.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None or match[2].lower() not in _SIZES:
        raise UsageError(f"{source} {text}: a size such as 20GiB, 500MB, or 0 for none")
    return int(float(match[1]) * _SIZES[match[2].lower()])


def parse_age(text: str, source: str) -> float:
    """Returns the seconds that "30d", "12h", "90m" or "2w" stand for; `source` is who said so.

    Raises:
        UsageError: It is no age.
    """
    match = _NUMBER.fullmatch(text.strip())
    if match is None or match[2].lower() not in _AGES:
        raise UsageError(f"{source} {text}: an age such as 30d, 12h, 90m or 2w")
    return float(match[1]) * _AGES[match[2].lower()]


def size_text(count: int) -> str:
    """Returns a number of bytes for people: 12 bytes, 3.4 MiB."""
    if count < 1024:
        return f"{count} bytes"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"
