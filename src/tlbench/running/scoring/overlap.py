"""Counts test examples that also occur in the training data; the score on such examples measures memorisation."""

from __future__ import annotations

from tlbench.contracts.task import Examples
from tlbench.data_check.same_inputs import input_key, key_set
from tlbench.running.splits import Splits


def overlap(test: Examples, splits: Splits) -> dict[str, int]:
    """Returns how many test examples have the inputs of a train example, or else of a validation example."""
    train, validation = key_set(splits.train), key_set(splits.validation)
    keys = [input_key(example) for example in test]
    return {
        "train": sum(item in train for item in keys),
        "validation": sum(item in validation and item not in train for item in keys),
    }


def count_shown(test: Examples, others: Examples) -> int:
    """Returns the number of test examples whose inputs equal those of one of the other examples."""
    other_keys = key_set(others)
    return sum(input_key(example) in other_keys for example in test)
