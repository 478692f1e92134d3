"""Reads the values that a baseline saved as JSON, and checks them against the task's output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tlbench import Output, UsageError


def read_values(
    folder: Path, predictor: type, output: Output, names: Sequence[str], is_valid: Callable[..., bool]
) -> list[Any]:
    """Returns the named values that a predictor saved in a folder.

    Args:
        folder: Where the predictor was saved.
        predictor: The class of the predictor.
        output: The task's output.
        names: The names of the values.
        is_valid: Takes the output and the values, and returns whether they fit.

    Raises:
        UsageError: The folder holds no such predictor, or its values do not fit the output.
    """
    from tlbench.modeling.predictor_files import read_settings

    settings = read_settings(folder, predictor.__name__, output)
    values = [settings.get(name) for name in names]
    # A saved file is input like any other: a class index out of range would fail far from here, in a metric.
    if not is_valid(output, *values):
        raise UsageError(
            f"{folder} holds no valid {predictor.__name__} for {type(output).__name__}: {settings!s:.80}; fit it again"
        )
    return values


def is_class(value: object, count: int) -> bool:
    """Returns whether the value is the index of one of `count` classes."""
    # bool is a subclass of int, and JSON's true is no class index.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


def is_number(value: object) -> bool:
    """Returns whether the value is a finite float."""
    import math

    # Not int: probabilities and means are always written with a decimal point.
    return isinstance(value, float) and math.isfinite(value)


def are(values: object, count: int, is_one: Callable[[object], bool]) -> bool:
    """Returns whether the values are a list of `count` items that are all valid."""
    return isinstance(values, list) and len(values) == count and all(is_one(value) for value in values)
