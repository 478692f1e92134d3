"""Keys that are equal for texts that differ only in case, white space or Unicode form."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable, Sequence
from typing import Any

from tlbench.data.input_keys import input_key


def normalised_key(inputs: Sequence[Any]) -> Hashable:
    """Returns a key of an example's inputs, equal for texts that differ only in case, white space or Unicode form."""
    if all(isinstance(part, str) for part in inputs):
        return tuple(map(_normalised, inputs))
    if all(isinstance(part, tuple | list) for part in inputs):
        return tuple(tuple(map(_normalised, part)) for part in inputs)
    return input_key(inputs)


def _normalised(text: str) -> str:
    # Most texts are ASCII, which has one Unicode form.
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(folded.casefold().split())
