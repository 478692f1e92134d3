"""Normal forms of values, their JSON, and digests of it, of which ids are made."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


def normalised(value: Any) -> Any:
    """Returns a normal form, equal for equivalent values: 1.0 becomes 1, [x] becomes x, and None is dropped."""
    if isinstance(value, msgspec.Struct):
        return {name: normalised(part) for name, part in msgspec.structs.asdict(value).items() if part is not None}
    if isinstance(value, dict):
        return {name: normalised(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [normalised(part) for part in value] if len(value) != 1 else normalised(value[0])
    # Above 2**53 a float no longer holds every integer, so that two different numbers could become one.
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


# Deterministic order: dictionaries are encoded by sorted key, so that equal values give equal bytes.
encoded = msgspec.json.Encoder(order="deterministic").encode


def digest(content: bytes) -> str:
    """Returns the first sixteen hex digits of the content's SHA-256."""
    # 64 bits: two of a million cells get the same id with a probability of 3e-8.
    return hashlib.sha256(content).hexdigest()[:16]
