"""Whether a second result is a regression: lower than the first by more than a margin, by a test that supports it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tlbench.catalog.names import nearest
from tlbench.contracts.errors import UsageError
from tlbench.contracts.metric import Metric
from tlbench.results.comparison.discordance import ALPHA
from tlbench.results.comparison.paired_test import PairedTest
from tlbench.results.records.summaries import CellSummary
from tlbench.results.stats import holm

MARGIN = 0.01
"""The margin in units of the metric: one point of accuracy."""
Verdict = Literal[
    "regression", "lost", "worse", "better", "equal", "not told apart", "not tested", "no score", "new score"
]
"""What a comparison of two results says about the second.

- regression: lower by more than the margin, and significantly so;
- lost: the first has a score and the second has none, as its cell failed;
- worse, better: a significant difference, and no regression;
- equal: the whole interval of the difference is within the margin;
- not told apart: the data leave open which is better;
- not tested: there is no test, because predictions are missing;
- no score: neither has a score; new score: the first has none.
"""
FAILS: frozenset[Verdict] = frozenset({"regression", "lost"})
"""The verdicts that end a command with status 1."""


@dataclass(frozen=True)
class Comparison:
    """Two results of the same work, and how they differ."""

    name: str
    """What is compared, for tables: the names of task, backbone and strategy, or of two files."""
    metric: Metric
    test: PairedTest | None
    """The paired test; None if there are no predictions of both sides for the same examples."""
    margin: float = MARGIN
    first: CellSummary | None = None
    """The first result's record, for its costs; None for answers of another program."""
    second: CellSummary | None = None
    notes: tuple[str, ...] = ()
    """Sentences on what limits the comparison, such as examples that only one side has."""
    corrected_p: float | None = None
    """The p-value, corrected for the number of comparisons."""

    @property
    def verdict(self) -> Verdict:
        """The verdict on the second result."""
        if (scores := self._scores()) != (True, True):
            return "no score" if not any(scores) else "lost" if scores[0] else "new score"
        test, p = self.test, self.corrected_p
        if test is None or p is None or test.low is None or test.high is None:
            return "not tested"
        gain = test.difference if self.metric.greater_is_better else -test.difference
        if p <= ALPHA and gain:
            return "better" if gain > 0 else "regression" if gain < -self.margin else "worse"
        return "equal" if max(abs(test.low), abs(test.high)) < self.margin else "not told apart"

    def _scores(self) -> tuple[bool, bool]:
        """Returns whether each side has a score."""
        if self.test is not None:
            return True, True
        first, second = (one is not None and one.value is not None for one in (self.first, self.second))
        return first, second


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Returns comparisons with p-values that are corrected for their number by Holm's method."""
    tested = [(i, one.test.p) for i, one in enumerate(comparisons) if one.test is not None and one.test.p is not None]
    results = list(comparisons)
    for (i, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        results[i] = replace(comparisons[i], corrected_p=p)
    return results


def read_regression_margins(texts: Iterable[str], metrics: Mapping[str, Metric]) -> Mapping[str, float]:
    """Returns the margins given by the values of an option, by metric; that of all other metrics has the key "".

    Raises:
        UsageError: A value is not a number from 0 on, a metric is unknown, or a margin is too large for shares of 1.
    """
    margins: dict[str, float] = {"": MARGIN}
    for text in texts:
        name, separator, number = text.rpartition("=")
        name = name.strip()
        if separator and name not in metrics:
            raise UsageError(f"--margin {text}: no metric {name!r}{nearest(name, metrics)}")
        try:
            margin = float(number)
        except ValueError:
            margin = math.nan
        if not 0 <= margin < math.inf:
            raise UsageError(f"--margin {text}: expected a number from 0 on, as 0.01, or METRIC=NUMBER, as rmse=0.05")
        if margin >= 1 and (not name or metrics[name].in_points):
            raise UsageError(
                f"--margin {text}: it is in units of the metric: for {margin:g} points write {margin / 100:g}"
            )
        margins[name] = margin
    return margins


def margin_of(metric: Metric, margins: Mapping[str, float]) -> float:
    """Returns the margin of a metric."""
    return margins.get(metric.name, margins[""])
