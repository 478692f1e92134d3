"""Keys that are equal for examples with equal inputs, exactly or after normalisation."""

from __future__ import annotations

import unicodedata
from collections.abc import Hashable
from functools import lru_cache

from tlbench.contracts.task import Example, Examples, ImageFile


def input_key(example: Example) -> Hashable:
    """Returns a key that is equal for examples with equal inputs: texts and words exactly, images by their pixels."""
    # The usual case: the inputs are a key themselves.
    if type(example.inputs) is tuple and all(type(part) is str for part in example.inputs):
        return example.inputs
    parts = tuple(tuple(part) if isinstance(part, list) else part for part in example.inputs)
    if all(isinstance(part, str | tuple | ImageFile) for part in parts):
        return parts
    # Other inputs, such as image arrays, have no hash; the fingerprint of an example with these inputs alone serves.
    return Examples([Example("", example.inputs)]).fingerprint


def normalised_key(example: Example) -> Hashable:
    """Returns a key that is also equal for texts that differ only in case, white space or Unicode form."""
    if all(isinstance(part, str) for part in example.inputs):
        return tuple(map(_normalised, example.inputs))
    if all(isinstance(part, tuple | list) for part in example.inputs):
        return tuple(tuple(map(_normalised, part)) for part in example.inputs)
    return input_key(example)


# Cached, because all seeds and strategies of a task compare with the same splits.
@lru_cache(maxsize=8)
def key_set(examples: Examples) -> frozenset[Hashable]:
    """Returns the keys of all examples."""
    return frozenset(map(input_key, examples))


def _normalised(text: str) -> str:
    # Most texts are ASCII, which has one Unicode form.
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(folded.casefold().split())
