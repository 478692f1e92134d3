"""The paired test of two results on the same examples, with the interval of their difference and its power.

With two seeds or more on both sides, test examples and seeds are crossed random factors, as in the ranks of a
leaderboard (`significance/all_pairs.py`). With one fit on a side the test is over examples alone: exact, by McNemar, if
each example is simply right or wrong, and else a t test of what each example contributes to the two scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlbench.contracts.metric import Metric
from tlbench.metrics.scored import Floats
from tlbench.results.comparison.discordance import ALPHA, POWER, Discordance
from tlbench.results.comparison.right_answers import right_answers
from tlbench.results.significance.all_pairs import compare_pairs
from tlbench.results.significance.cell_values import components
from tlbench.results.significance.components import Components
from tlbench.results.significance.practical import detectable
from tlbench.results.stats import CellPredictions, joint_groups, mean_score, smallest_p

EXACT, CROSSED, BY_EXAMPLE = "McNemar, exact", "t test, seeds and examples", "t test, examples"
SAME = "equal answers"
_ROUNDING = 1e-9


@dataclass(frozen=True)
class PairedTest:
    """The difference between two scores, the second minus the first, in units of the metric."""

    first: float
    second: float
    low: float | None
    """Lower end of the 95% interval of the difference; None if a single example has no interval."""
    high: float | None
    p: float | None
    """Two-sided p-value; None for a single example or group of examples."""
    test: str
    """The test: `EXACT`, `CROSSED` or `BY_EXAMPLE`; `SAME` where all answers are equal and nothing is tested."""
    detectable: float | None
    """The smallest difference that the test finds with a power of 80%; None if it is unknown."""
    examples: int
    groups: int | None
    """Number of groups of examples, which are resampled as wholes; None if examples are independent."""
    seeds: tuple[int, int]
    only_first: int | None
    """Number of examples that the first gets right more often than the second; None where no answer is exactly right,
    as in regression."""
    only_second: int | None

    @property
    def difference(self) -> float:
        """The second score minus the first."""
        return self.second - self.first


def paired_test(metric: Metric, first: CellPredictions, second: CellPredictions) -> PairedTest:
    """Tests the difference between two results that predicted the same examples.

    Args:
        metric: The metric.
        first: The predictions of the first result, by one fit or by one fit for each of several seeds.
        second: Those of the second, for the same examples in the same order.

    Raises:
        ValueError, Diverged, PluginError: As `score`.
    """
    first, second = joint_groups((first, second))
    seeds = len(first.seeds), len(second.seeds)
    better = _better_on(first, second)
    groups = None if first.groups is None else int(first.groups.max()) + 1
    if int(first.independent.max()) < 1:
        scores = mean_score(metric, first), mean_score(metric, second)
        return PairedTest(*scores, None, None, None, BY_EXAMPLE, None, len(first.ids), groups, seeds, *better)
    if _are_equal(metric, first, second):
        score = mean_score(metric, first)
        return PairedTest(score, score, 0.0, 0.0, 1.0, SAME, None, len(first.ids), groups, seeds, *better)
    cells = [components(metric, one.scored, one.groups) for one in (first, second)]
    low, high, p, test, smallest = _found(cells, seeds, groups)
    if test != EXACT:
        # Few examples on which the two differ cannot say more than a test of signs could.
        p = max(p, smallest_p(metric, first, second))
        low, high = (min(low, 0.0), max(high, 0.0)) if p > ALPHA else (low, high)
    return PairedTest(
        cells[0].score, cells[1].score, low, high, p, test, smallest, len(first.ids), groups, seeds, *better
    )


def _found(
    cells: list[Components], seeds: tuple[int, int], groups: int | None
) -> tuple[float, float, float, str, float | None]:
    """Returns the interval's ends, the p-value, the test and the smallest difference that it finds."""
    from scipy.special import stdtr, stdtrit

    difference = cells[1].score - cells[0].score
    if min(seeds) > 1:
        tests = compare_pairs(cells)
        half = tests.critical() * float(tests.errors[0, 1])
        return difference - half, difference + half, float(tests.p_values()[0, 1]), CROSSED, detectable(tests)
    if max(seeds) == 1 and groups is None and all(map(_is_binary, cells)):
        answers = [one.by_example + one.score > 0.5 for one in cells]
        counts = Discordance(
            int((answers[0] & ~answers[1]).sum()), int((answers[1] & ~answers[0]).sum()), len(answers[0])
        )
        return *counts.interval(), counts.p, EXACT, counts.detectable()
    by_example = cells[1].by_example - cells[0].by_example
    error, df = float(np.sqrt(by_example.var(ddof=1) / len(by_example))), min(one.example_df for one in cells)
    half = float(stdtrit(df, 1 - ALPHA / 2)) * error
    # Without an error the difference is the same on every example, and known.
    p = float(2 * stdtr(df, -abs(difference) / error)) if error > 0 else float(abs(difference) <= _ROUNDING)
    smallest = float(stdtrit(df, 1 - ALPHA / 2) + stdtrit(df, POWER)) * error
    return difference - half, difference + half, p, BY_EXAMPLE, smallest or None


def _are_equal(metric: Metric, first: CellPredictions, second: CellPredictions) -> bool:
    """Returns whether the fits of the same seeds gave the same answers, as when nothing has changed."""
    scores = not metric.reads_scores or (
        np.array_equal(first.scores, second.scores) if first.scores is not None and second.scores is not None
        else first.scores is second.scores
    )  # fmt: skip
    return first.seeds == second.seeds and np.array_equal(first.values, second.values) and scores


def _is_binary(cell: Components) -> bool:
    """Returns whether each example contributes 0 or 1 to the score, as in accuracy."""
    values: Floats = cell.by_example + cell.score
    return bool((np.minimum(np.abs(values), np.abs(values - 1)) < _ROUNDING).all())


def _better_on(first: CellPredictions, second: CellPredictions) -> tuple[int | None, int | None]:
    fits = right_answers(first), right_answers(second)
    if fits[0] is None or fits[1] is None:
        return None, None
    shares = [of_fits.mean(axis=0) for of_fits in fits if of_fits is not None]
    return int((shares[0] > shares[1]).sum()), int((shares[1] > shares[0]).sum())
