"""Compares predictions of two fits, and records which hyperparameters a fit reads. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tlbench.contracts.outputs import Predictions
from tlbench.contracts.space import Value

if TYPE_CHECKING:
    import numpy as np

FP32_EPS = 2.0**-23
"""Machine epsilon of fp32: the relative distance between 1 and the next larger number."""
REPEATED = 8 * FP32_EPS
"""Largest relative difference allowed between two fp32 computations of the same numbers: eight roundings.

The same order of evaluation gives equal bits, but the threads of a library may split sums differently each time.
"""


def are_repeated(first: Predictions, second: Predictions) -> bool:
    """Returns whether two predictions are equal: objects exactly, numbers and probabilities up to `REPEATED`."""
    return _are_equal(first.values, second.values) and _are_equal(first.scores, second.scores)


def distance(first: Predictions, second: Predictions) -> float:
    """Returns how much two predictions differ on average.

    This is the mean absolute difference of probabilities if there are some; otherwise, for real numbers, the mean
    absolute difference in standard deviations of the second, and for classes, texts and tags the share that differs.
    """
    if first.scores is not None and second.scores is not None:
        return float(abs(first.scores - second.scores).mean())
    if second.values.dtype.kind == "O":
        pairs = [pair for mine, other in zip(first.values, second.values, strict=True) for pair in _pairs(mine, other)]
        return float(sum(one != two for one, two in pairs) / max(1, len(pairs)))
    if second.values.dtype.kind != "f":
        return float((first.values != second.values).mean())
    # Constant predictions have the deviation 0.
    return float(abs(first.values - second.values).mean() / max(float(second.values.std()), 1e-12))


def _are_equal(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    if first is None or second is None:
        return first is second
    if first.dtype.kind == "O":
        return bool(first.tolist() == second.tolist())
    return bool(abs(first - second).max() <= REPEATED * max(1.0, float(abs(second).max())))


def _pairs(first: Any, second: Any) -> list[tuple[Any, Any]]:
    # Tags are tuples, whose words count one by one: a sentence with one other tag is not a wholly different one.
    return list(zip(first, second, strict=True)) if isinstance(first, tuple) else [(first, second)]


class WatchedParams(Mapping[str, Value]):
    """Hyperparameters that record in a set which of them are read."""

    def __init__(self, params: Mapping[str, Value], read: set[str]) -> None:
        self._params, self._read = params, read

    def __getitem__(self, name: str) -> Value:
        self._read.add(name)
        return self._params[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)
