"""Corrects tests on few groups of examples: draws how much their standard errors vary from sample to sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlbench.metrics.scored import Array, Floats
from tlbench.results.significance.intervals import MANY


@dataclass(frozen=True)
class ErrorDraws:
    """The standard errors of the differences between K scores, and how much they vary between samples of groups.

    With few groups some standard errors are small by chance, so that the largest of many studentised differences is
    larger than with known errors. In each draw, the part of a squared error that is from examples is multiplied by a
    chi-squared variable divided by its degrees of freedom.
    """

    errors: Floats
    """(K, K): the standard errors."""
    of_examples: Floats
    """(K, K): the part of each squared standard error that is from examples or groups of them."""
    df: float
    """Degrees of freedom of `of_examples`; from `MANY` on, the errors count as known and are not drawn."""
    generator: np.random.Generator

    def draw(self, first: Array, second: Array, draws: int) -> Floats:
        """Returns (R, P) standard errors of the pairs at these indices in each of R draws.

        If the errors count as known, they are the same in all draws, and the result has as many rows as the indices.

        Args:
            first: (1, P) or (R, P) indices of the first score of each pair.
            second: Indices of the second score of each pair, of the same shape.
            draws: R, the number of draws.
        """
        errors = self.errors[first, second]
        if self.df >= MANY:
            return errors
        scales = self.generator.chisquare(self.df, (draws, first.shape[1])) / self.df
        return np.asarray(np.sqrt(errors**2 + self.of_examples[first, second] * (scales - 1)))
