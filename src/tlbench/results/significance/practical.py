"""Computes whether a difference between two cells is small in practice, and the smallest difference that tests find.

A test says whether two cells differ at all. The same variance components answer two further questions:

- How probable is it that a row is practically equal to the best one, that is, within a stated margin of it? With a flat
  prior, the posterior of a difference is Student's t around the observed difference, with its standard error and
  Satterthwaite's degrees of freedom (Benavoli, Corani, Demsar and Zaffalon 2017, "Time for a change", JMLR 18:77, with
  the variance of tlbench's tests in place of that of cross-validation). The best row is picked because of its observed
  score, which a flat prior ignores: among equal rows the probability is somewhat too low.
- How large must a difference be for the tests to find it in 80% of tables? It must be the critical value plus the 80%
  quantile, in standard errors (Cohen 1988). If no difference in a table is significant, this number shows whether the
  table had enough data to find one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tlbench.results.significance.all_pairs import ALPHA, PairTests, compare_pairs

if TYPE_CHECKING:
    from tlbench.metrics.scored import Floats
    from tlbench.results.significance.components import Components

POWER = 0.8
_MOST_ROWS = 64


class Posterior(NamedTuple):
    """The posterior of the difference between the expected scores of two cells: a shifted and scaled Student's t."""

    difference: float
    """The observed difference, in units of the metric."""
    error: float
    """Its standard error; 0 for equal predictions."""
    df: float
    """Degrees of freedom."""


def against_best(cells: Sequence[Components], best: int) -> list[Posterior | None]:
    """Returns, for each of K cells, the posterior of its score minus that of the cell `best`; None for `best` itself.

    Each posterior uses only the variance components of its two cells, as a test of two cells does.
    """
    return [None if i == best else _posterior(cell, cells[best]) for i, cell in enumerate(cells)]


def _posterior(cell: Components, best: Components) -> Posterior:
    pair = compare_pairs([cell, best])
    return Posterior(float(pair.differences[0, 1]), float(pair.errors[0, 1]), float(pair.df))


def practically_equal(posteriors: Sequence[Posterior], margins: Sequence[float]) -> Floats:
    """Returns (K,): the probability that each difference is smaller than its margin, whichever sign it has."""
    from scipy.special import stdtr

    difference, error, df = np.array(posteriors, dtype=np.float64).reshape(-1, 3).T
    margin = np.asarray(margins, dtype=np.float64)
    # If the standard error is 0, the difference is known exactly.
    scale = np.where(error > 0, error, 1.0)
    inside = stdtr(df, (margin - difference) / scale) - stdtr(df, (-margin - difference) / scale)
    return np.where(error > 0, inside, np.abs(difference) < margin)


def differs_alone(posteriors: Sequence[Posterior]) -> Floats:
    """Returns (K,): the two-sided p-value of each difference in a test of its two cells alone."""
    from scipy.special import stdtr

    difference, error, df = np.array(posteriors, dtype=np.float64).reshape(-1, 3).T
    # If the standard error is 0, the difference is known exactly.
    p = 2 * stdtr(df, -np.abs(difference) / np.where(error > 0, error, 1.0))
    return np.where(error > 0, p, np.where(difference == 0, 1.0, 0.0))


def detectable(tests: PairTests, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Returns the smallest difference, in units of the metric, that the tests find with probability `power`.

    It uses the median standard error of all pairs of cells with different predictions; None if there is no such pair.
    """
    from scipy.special import ndtri, stdtrit

    # With thousands of cells, the median is computed from only some rows of the matrix of pairs.
    errors = tests.errors[:: max(1, len(tests.errors) // _MOST_ROWS)]
    errors = errors[errors > 0]
    if not len(errors):
        return None
    # The quantile is of the same distribution as the critical value: Student's t for two cells.
    beyond = float(ndtri(power) if np.isinf(tests.df) else stdtrit(tests.df, power))
    return float(np.median(errors)) * (tests.critical(alpha) + beyond)
