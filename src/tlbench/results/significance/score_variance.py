"""The variance components of a cell's score: a few numbers, kept so that predictions need not be read again.

The variances and covariances of the cells of one task suffice to test differences between cells and means over tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tlbench.metrics.scored import Floats


class ScoreVariance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The variance components of one cell, and its covariances with the other cells of its family.

    A family is the cells of a task that predicted the same test examples.
    """

    family: int
    """Number of the family within the task."""
    place: int
    """The cell's position in the family."""
    score: float
    example_df: float
    """Degrees of freedom of variances over test examples, or over groups of them."""
    seeds: int
    seed_variance: float
    residual_variance: float
    covariances: bytes
    """Covariances, over samples of test examples, of the score with that of each cell of the family, as bytes of
    float32; empty if the family is too large."""
    from_floors: dict[int, float]
    """Half the width of the 95% interval of the difference from each floor, by the floor's position in the family."""

    @property
    def known(self) -> Floats:
        """The covariances as an array; empty if they were not kept."""
        import numpy as np

        return np.frombuffer(self.covariances, dtype=np.float32).astype(np.float64)
