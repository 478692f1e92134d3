"""The metric contract: a number that says how good predictions are, and what is known of it without computing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tlbench.metrics.scored import Scored

    Floats: TypeAlias = NDArray[np.float64]
    Resampler: TypeAlias = Callable[[NDArray[Any]], Floats]
    WeightedSums: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]

EXACT = 2**23
"""Sums of whole numbers below it are exact in single precision, with a factor of two to spare."""


LONGEST_NAME = 80
"""How many characters the name of a metric may have, which is that of a column."""
_MOST_OF_A_BYTE = 255


class Metric:
    """A metric: subclass it, with the fields below as class attributes or as those of a frozen dataclass.

    Most metrics are a function of the sums of a few numbers of each example: give those in `statistics` and the
    function in `value`. From the two come the score, its interval, the paired tests and the search, so that none of
    them can contradict another. A metric that is no function of sums overrides `resampler`.

        class Within(Metric):
            name, label, outputs = "within_half", "within 0.5", (Scalar,)
            citation = "The share of answers that are at most 0.5 off."

            def statistics(self, scored):
                hit = abs(scored.values - scored.targets) <= 0.5
                return np.stack([hit, np.ones(len(hit))], axis=1)

            def value(self, sums):
                return sums[..., 0] / sums[..., 1]
    """

    name: str
    """In snake_case, at most 80 characters; what tasks and records call it."""
    label: str
    """As headings have it, such as "macro F1"."""
    outputs: tuple[type[Output], ...]
    """The kinds of output that it scores."""
    greater_is_better: bool = True
    lowest: float | None = 0.0
    """The least value that it can have; None where there is none."""
    highest: float | None = 1.0
    """The greatest value that it can have; None where there is none."""
    worst: float | None = 0.0
    """What a predictor that knows nothing or failed is counted as, and what an undefined score is; None where no value
    is bad enough, so that a failure is left out of a mean, and an undefined score is an error."""
    reads_scores: bool = False
    """Whether it reads probabilities, `Scored.scores`, which are hidden from a metric that does not say so; a predictor
    that has none counts as certain of its answer."""
    in_points: bool = True
    """Whether it is a share of 1, which tables show in points of 100; else it is shown in its own unit."""
    citation: str = ""
    """The paper that defines it, or the definition in one sentence."""

    @property
    def points(self) -> float:
        """How many of the units that tables show there are in 1."""
        return 100.0 if self.in_points else 1.0

    def supports(self, output: Output) -> bool:
        """Says whether it scores this output."""
        return isinstance(output, self.outputs)

    def statistics(self, scored: Scored) -> Floats:
        """Returns (N, m): the numbers of each example whose sums make the metric.

        Integers of any width are summed exactly up to 2**53, and floats of any width in double precision.
        """
        raise NotImplementedError(f"{self.name} has neither statistics nor a resampler")

    def value(self, sums: Floats) -> Floats:
        """Returns (...): the metric for each row of sums (..., m); never NaN."""
        raise NotImplementedError(f"{self.name} has no value")

    def parts(self, scored: Scored) -> Floats:
        """Returns the statistics; those of texts and tags, which take long, are computed once.

        Raises:
            PluginError: They are no array (N, m) of real numbers.
        """
        if scored.kind in {"numbers", "labels"}:
            return self._found(scored)
        if self.name not in scored.known:
            scored.known[self.name] = self._found(scored)
        return scored.known[self.name]

    def _found(self, scored: Scored) -> Floats:
        import numpy as np

        found: Any = self.statistics(scored)
        shape = np.shape(found) if isinstance(found, np.ndarray) else None
        if shape is None or found.dtype.kind not in "biuf" or len(shape) != 2 or shape[0] != len(scored):
            what = type(found).__name__ if shape is None else f"{found.dtype} {shape}"
            raise PluginError(
                f"the metric {self.name} gave statistics of {what} where a NumPy array ({len(scored)}, m) of real"
                " numbers is asked for: one row for each example"
            )
        return found  # type: ignore[no-any-return]

    def resampler(self, scored: Scored) -> Resampler:
        """Returns a function from weights (R, N), how often each resample holds each example, to the metric (R,)."""
        parts = self.parts(scored)
        sums = weighted_sums(parts, counts=parts.dtype.kind in "biu")
        return lambda weights: self.value(sums(weights).astype("float64"))


def weighted_sums(parts: NDArray[Any], counts: bool) -> WeightedSums:
    """Returns a function from weights (R, N) to the sums (R, m) of statistics (N, m), each as often as its weight says.

    Sums of whole numbers (`counts`) are exact up to 2**53, and are in single precision, which takes half of the time,
    where they are exact in it. All others are in double precision.
    """
    import numpy as np

    wide = parts.astype(np.float64, copy=False)
    largest = max(float(wide.max(initial=1)), -float(wide.min(initial=0)))
    if not (counts and len(parts) * largest < EXACT):
        return lambda weights: weights.astype(np.float64) @ wide
    narrow, ones = wide.astype(np.float32), np.ones(len(wide), dtype=np.float32)

    def sums(weights: NDArray[Any]) -> NDArray[Any]:
        light = weights.astype(np.float32)
        # A weight may stand for many examples that are alike, so that how many there are is known here alone.
        drawn = len(narrow) * _MOST_OF_A_BYTE if weights.dtype == np.uint8 else np.inf
        if drawn * largest < EXACT or (light @ ones).max(initial=0) * largest < EXACT:
            return light @ narrow
        return weights.astype(np.float64) @ narrow.astype(np.float64)

    return sums
