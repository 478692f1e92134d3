"""The metric contract: a score of predictions against targets, with its direction and range."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Output

# For type checkers only: `tlbench plan` and `list` import this module without NumPy and torch.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tlbench.metrics.scored import Scored

    Floats: TypeAlias = NDArray[np.float64]
    Resampler: TypeAlias = Callable[[NDArray[Any]], Floats]
    WeightedSums: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]

EXACT = 2**23
"""Sums of integers below this bound are exact in fp32, whose limit is 2**24; the factor of two is a safety margin."""


LONGEST_NAME = 80
"""The maximum length of a metric's name, in characters; the name is also a column name."""
_UINT8_MAX = 255


class Metric:
    """A score of predictions: subclass it and set the fields below, as class attributes or in a frozen dataclass.

    Most metrics are a function of sums over examples: return each example's terms from `statistics` and compute the
    metric from their sums in `value`. A metric that is not a function of sums overrides `resampler` instead.

    Guarantees: the score, its bootstrap interval, the paired tests and the search all call these same methods, so they
    cannot disagree. A plugin's metric that raises or returns something else than finite numbers is reported as a
    `PluginError` that names it.

    Example:
        import numpy as np

        from tlbench import Metric, Scalar

        class WithinHalf(Metric):
            name, label, outputs = "within_half", "within 0.5", (Scalar,)
            citation = "The share of predictions that are at most 0.5 from their target."

            def statistics(self, scored):
                hit = np.abs(scored.values - scored.targets) <= 0.5
                return np.stack([hit, np.ones(len(hit))], axis=1)

            def value(self, sums):
                return sums[..., 0] / sums[..., 1]
    """

    name: str
    """The identifier used by tasks and records: snake_case, at most 80 characters."""
    label: str
    """The heading in tables, such as "macro F1"."""
    outputs: tuple[type[Output], ...]
    """The output kinds that the metric scores."""
    greater_is_better: bool = True
    lowest: float | None = 0.0
    """The lower bound of the metric; None if it is unbounded below."""
    highest: float | None = 1.0
    """The upper bound of the metric; None if it is unbounded above."""
    worst: float | None = 0.0
    """The score given to an undefined value; with None, an undefined value is an error. Failed cells do not get it:
    in means over tasks they count as the floor."""
    reads_scores: bool = False
    """Whether the metric reads probabilities (`Scored.scores`), which are otherwise hidden from it. A predictor without
    probabilities counts as giving probability 1 to its prediction."""
    in_points: bool = True
    """Whether the metric is a fraction that tables multiply by 100; False shows it in its own unit."""
    citation: str = ""
    """The paper that defines the metric, or its definition in one sentence."""

    @property
    def points(self) -> float:
        """The factor by which tables multiply the score: 100 or 1."""
        return 100.0 if self.in_points else 1.0

    def supports(self, output: Output) -> bool:
        """Returns whether the metric scores this output."""
        return isinstance(output, self.outputs)

    def statistics(self, scored: Scored) -> Floats:
        """Returns m terms for each example, (N, m); the sums of the terms over all examples determine the metric.

        Integers of any width are summed exactly up to 2**53; floats of any width are summed in fp64.
        """
        raise NotImplementedError(f"{self.name} has neither statistics nor a resampler")

    def value(self, sums: Floats) -> Floats:
        """Returns the metric (...) for each row of sums (..., m).

        NaN or infinity means "undefined" and counts as `worst`; with `worst = None` it is an error.
        """
        raise NotImplementedError(f"{self.name} has no value")

    def parts(self, scored: Scored) -> Floats:
        """Returns the validated `statistics` (N, m), cached for texts and tags, where they are slow to compute.

        Raises:
            PluginError: The statistics are not an array (N, m) of real numbers.
        """
        if scored.kind in {"numbers", "labels"}:
            return self._checked_statistics(scored)
        # The cache is a field of `scored`, so that it is freed with the predictions it belongs to.
        if self.name not in scored.known:
            scored.known[self.name] = self._checked_statistics(scored)
        return scored.known[self.name]

    def _checked_statistics(self, scored: Scored) -> Floats:
        import numpy as np

        statistics: Any = self.statistics(scored)
        shape = np.shape(statistics) if isinstance(statistics, np.ndarray) else None
        # "biuf": booleans, integers and floats. Complex numbers, texts and objects would fail later, less clearly.
        if shape is None or statistics.dtype.kind not in "biuf" or len(shape) != 2 or shape[0] != len(scored):
            description = type(statistics).__name__ if shape is None else f"{statistics.dtype} {shape}"
            raise PluginError(
                f"the metric {self.name} gave statistics of {description} where a NumPy array ({len(scored)}, m) of"
                " real numbers is expected: return one row for each example"
            )
        return statistics  # type: ignore[no-any-return]

    def resampler(self, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N) to the metric (R,) of R resamples.

        A weight is the number of times that the resample contains the example.
        """
        parts = self.parts(scored)
        sums = weighted_sums(parts, counts=parts.dtype.kind in "biu")
        # fp64 before `value`, because formulas subtract products of sums (variances), which cancel badly in fp32.
        return lambda weights: self.value(sums(weights).astype("float64"))


def weighted_sums(parts: NDArray[Any], counts: bool) -> WeightedSums:
    """Returns a function from weights (R, N) to the weighted sums (R, m) of statistics (N, m).

    With `counts`, the statistics are integers: their sums are exact up to 2**53, and computed in fp32, at half the
    cost, wherever fp32 is exact. Otherwise sums are in fp64.
    """
    import numpy as np

    wide = parts.astype(np.float64, copy=False)
    largest = max(float(wide.max(initial=1)), -float(wide.min(initial=0)))
    # One resample of N examples sums to at most N * largest in absolute value: below `EXACT`, no partial sum rounds.
    if not (counts and len(parts) * largest < EXACT):
        return lambda weights: weights.astype(np.float64) @ wide
    narrow, ones = wide.astype(np.float32), np.ones(len(wide), dtype=np.float32)

    def sums(weights: NDArray[Any]) -> NDArray[Any]:
        weights32 = weights.astype(np.float32)
        # When identical examples are merged into one row, a weight can exceed N, so the bound is checked again here.
        # For bytes it follows from the type alone, which saves a pass over the weights.
        total = len(narrow) * _UINT8_MAX if weights.dtype == np.uint8 else np.inf
        if total * largest < EXACT or (weights32 @ ones).max(initial=0) * largest < EXACT:
            return weights32 @ narrow
        return weights.astype(np.float64) @ narrow.astype(np.float64)

    return sums
