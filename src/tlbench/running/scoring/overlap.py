"""Counts test examples that also occur in the training data; the score on such examples measures memorisation."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from tlbench.contracts.task import Examples
from tlbench.data.input_keys import input_key
from tlbench.running.splits import Splits


def overlap(test: Examples, splits: Splits) -> dict[str, int]:
    """Returns, for `train` and `validation`, the number of test examples whose inputs also occur in that split.

    A test example that occurs in both splits counts for `train` only.
    """
    train, validation = _input_keys(splits.train), _input_keys(splits.validation)
    keys = [input_key(example.inputs) for example in test]
    return {
        "train": sum(item in train for item in keys),
        "validation": sum(item in validation and item not in train for item in keys),
    }


def count_shown(test: Examples, others: Examples) -> int:
    """Returns the number of test examples whose inputs equal those of one of the other examples."""
    other_keys = _input_keys(others)
    return sum(input_key(example.inputs) in other_keys for example in test)


# Cached, because all seeds and strategies of a task compare with the same splits.
@lru_cache(maxsize=8)
def _input_keys(examples: Examples) -> frozenset[Hashable]:
    return frozenset(input_key(example.inputs) for example in examples)
