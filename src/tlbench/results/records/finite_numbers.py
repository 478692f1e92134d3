"""Whether all numbers of a value are finite: JSON has no others, and writes them as what cannot be read back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import msgspec


def not_finite(value: msgspec.Struct) -> str:
    """Returns the first number of a struct that is not finite and where it stands; empty where all are finite."""
    plain = msgspec.to_builtins(value)
    try:
        # Far quicker than a walk over it in Python.
        json.dumps(plain, allow_nan=False)
    except ValueError:
        return next(_found(plain, ""), "")
    return ""


def _found(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path.removeprefix('.')} is {value}"
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _found(part, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from _found(part, f"{path}[{i}]")
