"""Variance components of a score: test examples and training seeds as two crossed random factors.

A score averages a table of values, one for each seed (row) and test example (column). Another sample of examples and
another sample of seeds would both give another score, so both count: the analysis of variance of this two-way table
estimates how much each contributes. It is the method of multi-reader studies, where readers and cases are the factors
(Obuchowski and Rockette 1995, doi:10.1080/03610919508813243; Hillis 2007, doi:10.1002/sim.2532).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlbench.metrics.scored import Array, Floats

_ROUNDING = 1e-9
"""A variance up to this share of its residual part is a rounding error of 0."""


@dataclass(frozen=True)
class Components:
    """The score of one cell and what its variance consists of; S seeds, G independent test examples (or groups)."""

    score: float
    by_example: Floats
    """(G,): the mean over seeds for each example, minus the score."""
    seeds: float
    """S, the number of seeds; for a mean over tasks, 1 + the degrees of freedom of `seed_variance`."""
    seed_variance: float
    """Variance of the S scores of single seeds, with S - 1 degrees of freedom; 0 if S is 1."""
    residual_variance: float
    """The part of `seed_variance` that comes from the sample of examples rather than from the seeds."""
    example_df: float
    """Degrees of freedom of the variance of `by_example`: G - 1, or fewer if groups differ in size."""

    @property
    def is_deterministic(self) -> bool:
        """Whether all of several seeds gave the same value on every example, so that seeds contribute nothing."""
        return self.seeds > 1 and self.seed_variance == 0 and self.residual_variance == 0


def components_of(values: Floats, sizes: Array | None = None) -> Components:
    """Returns the components of a table of values.

    Args:
        values: (S, G) values whose mean is the score, such as those of `jackknife_values` for each seed.
        sizes: (G,) the number of examples in each group; None if they are equal.

    Raises:
        ValueError: There are fewer than two examples.
    """
    seeds, count = values.shape
    if count < 2:
        raise ValueError("one test example has no variance")
    by_seed = values.mean(axis=1)
    score = float(by_seed.mean())
    by_example = values.mean(axis=0) - score
    df = count - 1.0 if sizes is None else _effective_df(sizes)
    if seeds == 1:
        return Components(score, by_example, 1, 0.0, 0.0, df)
    # Equal rows give exact zeros: rounding must not make a deterministic strategy look as if it varied.
    if (values == values[0]).all():
        return Components(score, by_example, seeds, 0.0, 0.0, df)
    residuals = values - by_example[None, :] - by_seed[:, None]
    mean_square = float((residuals**2).sum()) / ((seeds - 1) * (count - 1))
    return Components(score, by_example, seeds, float(by_seed.var(ddof=1)), mean_square / count, df)


def at_least_residual(variance: Floats, residual: Floats) -> Floats:
    """Returns variances of scores or of differences, with 0 replaced by the residual part, which they include.

    The other parts are estimated as differences from the residual part. So a variance may be 0 although predictions
    differ, if seeds have equal scores by chance, as when each seed makes the same small number of errors.
    """
    return np.where(variance > _ROUNDING * residual, variance, residual)


def _effective_df(sizes: Array) -> float:
    """Returns the degrees of freedom of a variance over groups of these sizes: the effective number of groups - 1.

    The number is Kish's (1965), (sum of sizes)^2 / sum of squared sizes: with unequal sizes, a few large groups
    determine most of the variance.
    """
    floats = np.asarray(sizes, dtype=np.float64)
    return max(1.0, float(floats.sum() ** 2 / (floats**2).sum()) - 1)
