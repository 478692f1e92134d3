"""Keys by which examples with equal inputs are found."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from tlbench.contracts.task import Example, Examples, ImageFile


def input_key(inputs: Sequence[Any]) -> Hashable:
    """Returns a key that is equal for equal inputs of examples: texts, words, and images by their pixels or files."""
    return tuple(_part_key(part) for part in inputs)


def _part_key(part: Any) -> Hashable:
    if isinstance(part, list):
        return tuple(part)
    # Images in memory have no hash; the fingerprint of an example with this input alone serves.
    return part if isinstance(part, str | tuple | ImageFile) else Examples([Example("", (part,))]).fingerprint
