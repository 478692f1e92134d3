"""Tests all pairs of cells of one task, with the correction for many tests; seeds and examples are random factors.

The variance of a difference between two cells has a part from the test examples, which both share, and a part from the
seeds of each, which are independent. With two cells the test is a t test with Satterthwaite's (1946) degrees of
freedom. With more cells, each studentised difference is compared with the distribution of the largest one among cells
with equal expected scores. This controls the family-wise error rate: of the tables whose cells are all equal, 95% show
no significant difference. The distribution is simulated: the part from examples is drawn from the cells' covariance,
and the part from seeds from the posterior of each cell's variance between seeds (`moderation.py`), because three seeds
estimate a variance badly. Standard errors use the mean over all cells of the variance between seeds, because a pair
whose own error is small by chance would seem significant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tlbench.metrics.scored import Floats
from tlbench.results.significance.components import Components, at_least_residual
from tlbench.results.significance.few_groups import ErrorDraws
from tlbench.results.significance.moderation import Moderated, moderated

ALPHA = 0.05
DRAWS = 4000
"""Number of draws from the distribution of the largest difference; the standard error of a 5% tail is 0.35 points."""
_FEW_DRAWS = 1000
_ALL_PAIRS = 64
"""Largest number of cells for which each draw compares all pairs. With more cells, there are `_FEW_DRAWS` draws, and
each compares only the `_EXTREMES` lowest and the `_EXTREMES` highest scores."""
_EXTREMES = 24
_AT_ONCE = 2**21
"""Number of differences that are computed at once, to bound memory."""


@dataclass(frozen=True)
class PairTests:
    """The differences between the scores of all pairs of K cells, and the distribution to test them with."""

    differences: Floats
    """(K, K): the score of the row's cell minus that of the column's."""
    errors: Floats
    """(K, K): standard errors of the differences."""
    df: float
    """Degrees of freedom of the t test of two cells; infinite, and not used, with more cells."""
    largest: Floats
    """(R,): the largest studentised difference of each draw, sorted; empty with two cells, which a t test compares."""

    def p_values(self) -> Floats:
        """Returns the two-sided p-values, (K, K), corrected for the number of pairs.

        Each is the probability that, among cells with equal expected scores, the largest difference is at least as many
        standard errors as the pair's.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(np.abs(self.differences) > _ROUNDING, np.abs(self.differences) / self.errors, 0.0)
        if not len(self.largest):
            from scipy.special import stdtr

            return np.asarray(2 * stdtr(self.df, -t))
        exceeding = len(self.largest) - np.searchsorted(self.largest, t, side="left")
        # With 1 added to both counts (Davison and Hinkley 1997) a p-value is never 0.
        return np.asarray((1 + exceeding) / (1 + len(self.largest)))

    def critical(self, alpha: float = ALPHA) -> float:
        """Returns the number of standard errors beyond which a difference is significant."""
        if not len(self.largest):
            from scipy.special import stdtrit

            return float(stdtrit(self.df, 1 - alpha / 2))
        # The smallest value whose p-value is at most alpha.
        exceeding = int(alpha * (1 + len(self.largest))) - 1
        return float(self.largest[len(self.largest) - 1 - max(0, exceeding)])

    def is_significant(self, alpha: float = ALPHA) -> NDArray[np.bool_]:
        """Returns (K, K): whether two cells differ significantly, at a family-wise error rate of `alpha`."""
        return (np.abs(self.differences) > _ROUNDING) & (self.p_values() <= alpha)


_ROUNDING = 1e-12
"""Differences up to this are rounding errors of equal scores, and never significant even if their error is 0."""


def compare_pairs(cells: Sequence[Components], seed: int = 0) -> PairTests:
    """Tests all pairs of K cells that predicted the same test examples, each with two seeds or more.

    Args:
        cells: The cells.
        seed: Seed of the draws.
    """
    scores = np.array([cell.score for cell in cells])
    differences = scores[:, None] - scores[None, :]
    if len(cells) == 2:
        errors, df = separate_tests(cells)
        return PairTests(differences, errors, float(df[0, 1]), np.empty(0))
    by_example = np.stack([cell.by_example for cell in cells])
    free = by_example.shape[1] - 1
    covariance = by_example @ by_example.T / (free * (free + 1))
    seeds = np.array([cell.seeds for cell in cells], dtype=np.float64)
    residual = np.array([cell.residual_variance for cell in cells]) / seeds
    between = np.array([cell.seed_variance for cell in cells])
    varies = np.array([not cell.is_deterministic for cell in cells])
    # Both the covariance and the variance between seeds include the residual part, which must count once.
    examples = covariance - np.diag(residual)
    own = np.diag(examples)
    posterior = moderated(between[varies], seeds[varies] - 1)
    of_seeds = np.zeros(len(cells))
    of_seeds[varies] = posterior.variances / seeds[varies]
    of_examples = (_sums(own) - 2 * examples).clip(0)
    variance = at_least_residual(of_examples + _sums(of_seeds), _sums(residual))
    np.fill_diagonal(variance, 0.0)
    errors = np.sqrt(variance)
    generator = np.random.default_rng(seed)
    if len(cells) <= _ALL_PAIRS:
        # An estimated covariance may have small negative eigenvalues after the subtraction of the residual part.
        values, vectors = np.linalg.eigh(examples)
        drawn = _normals(DRAWS, len(cells), seed, 0) @ (vectors * np.sqrt(values.clip(0))).T
        normals = _normals(DRAWS, len(cells), seed, 1)
        drawn += _drawn_seeds(posterior, 0 * residual, seeds, varies, generator, normals)
    else:
        # An eigendecomposition would take seconds, so draw from `by_example` directly. That includes the residual
        # part, which is therefore subtracted from the part of the seeds.
        drawn = generator.standard_normal((_FEW_DRAWS, free + 1)) @ by_example.T / math.sqrt(free * (free + 1))
        normals = generator.standard_normal((_FEW_DRAWS, len(cells)))
        drawn += _drawn_seeds(posterior, residual, seeds, varies, generator, normals)
    error_draws = ErrorDraws(errors, of_examples, min(cell.example_df for cell in cells), generator)
    return PairTests(differences, errors, np.inf, np.sort(_largest(drawn, error_draws)))


def separate_tests(cells: Sequence[Components]) -> tuple[Floats, Floats]:
    """Returns (K, K) standard errors and Satterthwaite's degrees of freedom, computed for each pair on its own."""
    by_example = np.stack([cell.by_example for cell in cells])
    count = by_example.shape[1]
    covariance = by_example @ by_example.T / (count * (count - 1))
    free = min(cell.example_df for cell in cells)
    seeds = np.array([cell.seeds for cell in cells], dtype=np.float64)
    residual = np.array([cell.residual_variance for cell in cells]) / seeds
    between = np.array([cell.seed_variance for cell in cells]) / seeds
    own = np.diag(covariance)
    examples = (_sums(own) - 2 * covariance).clip(0)
    # The variance from examples and that between seeds both include the residual part, which must count only once.
    variance = at_least_residual(_sums(between) + (examples - _sums(residual)).clip(0), _sums(residual))
    uncertainty = examples**2 / free + _sums(between**2 / (seeds - 1)) + _sums(residual**2 / ((seeds - 1) * free))
    df = np.divide(variance**2, uncertainty, out=np.full_like(variance, free), where=uncertainty > 0)
    np.fill_diagonal(variance, 0.0)
    return np.sqrt(variance), df.clip(1)


@lru_cache(maxsize=16)
def _normals(rows: int, columns: int, seed: int, stream: int) -> Floats:
    """Returns normal random numbers; they are the same in every table and therefore cached."""
    return np.random.default_rng([seed, stream]).standard_normal((rows, columns))


def _sums(values: Floats) -> Floats:
    return np.asarray(values[:, None] + values[None, :])


def _drawn_seeds(
    posterior: Moderated,
    residual: Floats,
    seeds: Floats,
    varies: NDArray[np.bool_],
    generator: np.random.Generator,
    normals: Floats,
) -> Floats:
    """Returns (R, K): `normals` scaled to deviations of scores due to seeds, with variances from their posterior."""
    drawn = np.zeros_like(normals)
    if varies.any():
        shape = (len(normals), 1 if posterior.is_one else int(varies.sum()))
        df = posterior.df[:1] if posterior.is_one else posterior.df
        variances = posterior.variances * df / generator.chisquare(df, shape) / seeds[varies] - residual[varies]
        drawn[:, varies] = normals[:, varies] * np.sqrt(variances.clip(0))
    return drawn


def _largest(drawn: Floats, errors: ErrorDraws) -> Floats:
    """Returns (R,): the largest difference between two of the K scores in each draw, in standard errors."""
    draws, count = drawn.shape
    if count > _ALL_PAIRS:
        ends = np.argpartition(drawn, [_EXTREMES, count - _EXTREMES], axis=1)
        order = np.concatenate([ends[:, :_EXTREMES], ends[:, -_EXTREMES:]], axis=1)
        drawn = np.take_along_axis(drawn, order, axis=1)
    first, second = np.triu_indices(drawn.shape[1], 1)
    step = max(1, _AT_ONCE // len(first))
    largest = []
    for start in range(0, draws, step):
        part = drawn[start : start + step]
        if count > _ALL_PAIRS:
            rows = order[start : start + step]
            scale = errors.draw(rows[:, first], rows[:, second], len(part))
        else:
            scale = errors.draw(first[None, :], second[None, :], len(part))
        distances = np.abs(part[:, first] - part[:, second])
        # Two cells with equal predictions have an error of 0, so their difference is set to 0 rather than divided.
        largest.append(np.divide(distances, scale, out=np.zeros_like(distances), where=scale > 0).max(axis=1))
    return np.concatenate(largest)
