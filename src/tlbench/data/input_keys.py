"""Keys by which examples with equal inputs are found."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from tlbench.contracts.images.image_file import ImageFile, image_digest


def input_key(inputs: Iterable[Any]) -> Hashable:
    """Returns a key that is equal for equal inputs of examples: texts, words, and images by their pixels or files."""
    return tuple(_part_key(part) for part in inputs)


def joined(keys: Sequence[Hashable], groups: Sequence[str]) -> Sequence[Hashable]:
    """Returns a key for each row, equal for rows that equal content or groups connect, directly or through other rows.

    Args:
        keys: The content of each row.
        groups: The group of each row; "" for a row without a group.
    """
    if not any(groups):
        return keys
    parents: dict[Hashable, Hashable] = {}

    def root(node: Hashable) -> Hashable:
        while (parent := parents.setdefault(node, node)) != node:
            # Halves the path, so that long chains stay cheap.
            parents[node] = parents[parent]
            node = parents[node]
        return node

    for key, group in zip(keys, groups, strict=True):
        if group:
            parents[root(("group", group))] = root(("key", key))
    return [root(("key", key)) for key in keys]


def _part_key(part: Any) -> Hashable:
    if isinstance(part, list):
        return tuple(part)
    # Images in memory have no hash of their own.
    return part if isinstance(part, str | tuple | ImageFile) else image_digest(part)
