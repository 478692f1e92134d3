"""Counts test examples that also occur in the training data; the score on such examples measures memorisation."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from tlbench.contracts.task import Example, Examples, ImageFile
from tlbench.running.splits import Splits


def overlap(test: Examples, splits: Splits) -> dict[str, int]:
    """Returns how many test examples have the inputs of a train example, or else of a validation example."""
    train, validation = _input_keys(splits.train), _input_keys(splits.validation)
    keys = [_input_key(example) for example in test]
    return {
        "train": sum(item in train for item in keys),
        "validation": sum(item in validation and item not in train for item in keys),
    }


def count_shown(test: Examples, others: Examples) -> int:
    """Returns the number of test examples whose inputs equal those of one of the other examples."""
    other_keys = _input_keys(others)
    return sum(_input_key(example) in other_keys for example in test)


# Cached, because all seeds and strategies of a task compare with the same splits.
@lru_cache(maxsize=8)
def _input_keys(examples: Examples) -> frozenset[Hashable]:
    return frozenset(_input_key(example) for example in examples)


def _input_key(example: Example) -> Hashable:
    parts = tuple(tuple(part) if isinstance(part, list) else part for part in example.inputs)
    if all(isinstance(part, str | tuple | ImageFile) for part in parts):
        return parts
    # Other inputs, such as image arrays, have no hash; the fingerprint of an example with these inputs alone serves.
    return Examples([Example("", example.inputs)]).fingerprint
