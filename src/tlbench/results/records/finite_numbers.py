"""Finds numbers that are not finite. JSON cannot represent them, so a record with one could not be read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import msgspec


def not_finite(value: msgspec.Struct) -> str:
    """Returns the path and value of the first number that is not finite, or "" if all are finite."""
    builtins = msgspec.to_builtins(value)
    try:
        # Encoding in C is far faster than walking the value in Python, which only a faulty one needs.
        json.dumps(builtins, allow_nan=False)
    except ValueError:
        return next(_descriptions(builtins, ""), "")
    return ""


def are_finite(*values: float | None) -> bool:
    """Returns whether none of the values is missing, infinite or not a number."""
    # Without a generator, which takes three times as long: a table asks for each of its rows.
    known = [value for value in values if value is not None]
    return len(known) == len(values) and all(map(math.isfinite, known))


def _descriptions(value: Any, path: str) -> Iterator[str]:
    """Yields a description such as "scores[0].value is nan" for each number that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path.removeprefix('.')} is {value}"
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _descriptions(part, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from _descriptions(part, f"{path}[{i}]")
