"""Test examples that stand in the training data too: a score on them says what was remembered."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from tlbench.contracts.task import Example, Examples, ImageFile
from tlbench.running.splits import Splits


def overlap(test: Examples, splits: Splits) -> dict[str, int]:
    """Returns how many test examples show exactly what an example of train shows, or else one of validation."""
    train, validation = _all_shown(splits.train), _all_shown(splits.validation)
    shown = [_shown(example) for example in test]
    return {
        "train": sum(item in train for item in shown),
        "validation": sum(item in validation and item not in train for item in shown),
    }


def count_shown(test: Examples, others: Examples) -> int:
    """Returns how many test examples show exactly what one of the others shows."""
    there = _all_shown(others)
    return sum(_shown(example) in there for example in test)


@lru_cache(maxsize=8)
def _all_shown(examples: Examples) -> frozenset[Hashable]:
    return frozenset(_shown(example) for example in examples)


def _shown(example: Example) -> Hashable:
    parts = tuple(tuple(part) if isinstance(part, list) else part for part in example.inputs)
    if all(isinstance(part, str | tuple | ImageFile) for part in parts):
        return parts
    # The digest of an example that differs in nothing but what it shows.
    return Examples([Example("", example.inputs)]).fingerprint
