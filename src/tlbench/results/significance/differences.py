"""Differences between the scores of cells, from what is kept of the variance of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlbench.metrics.scored import Floats
from tlbench.results.significance.all_pairs import ALPHA, compare_pairs
from tlbench.results.significance.components import Components
from tlbench.results.significance.score_variance import ScoreVariance

_SAME = 1e-6
"""Cells are the same on all examples if the variance of their difference is at most this share of their variances."""
MOST_COVARIANCES = 256
"""Largest number of cells with which a cell's covariances are kept."""


def score_variances(cells: Sequence[Components], first: Sequence[bool], family: int = 0) -> list[ScoreVariance]:
    """Returns what is kept of K cells that predicted the same test examples, in the order of the cells.

    Args:
        cells: The components of each cell.
        first: Which cells stand first in the family. In a family of more than `MOST_COVARIANCES` cells, covariances
            with these alone are kept.
        family: Number of the family.
    """
    # A stable sort: which cells come first does not depend on anything but their order.
    order = sorted(range(len(cells)), key=lambda i: not first[i])
    kept = order if len(cells) <= MOST_COVARIANCES else order[: min(sum(first), MOST_COVARIANCES)]
    by_example = np.stack([cell.by_example for cell in cells])
    count = by_example.shape[1]
    covariances = (by_example @ by_example[kept].T / (count * (count - 1))).astype(np.float32)
    # Rounded as the covariances are, so that the difference of equal cells has a variance of exactly 0.
    own = (np.einsum("ij,ij->i", by_example, by_example) / (count * (count - 1))).astype(np.float32)
    results: list[ScoreVariance | None] = [None] * len(cells)
    for place, i in enumerate(order):
        cell = cells[i]
        results[i] = ScoreVariance(
            family, place, cell.score, count, int(cell.seeds), cell.seed_variance, cell.residual_variance,
            float(own[i]), covariances[i].tobytes(),
        )  # fmt: skip
    return [one for one in results if one is not None]


def covariance(cells: Sequence[ScoreVariance]) -> Floats | None:
    """Returns (K, K): covariances of scores over samples of test examples; None if a cell's are not known."""
    places = np.array([cell.place for cell in cells])
    known = [cell.known for cell in cells]
    if len({cell.family for cell in cells}) > 1:
        return None
    matrix = np.full((len(cells), len(cells)), np.nan)
    for row, values in zip(matrix, known, strict=True):
        kept = places < len(values)
        row[kept] = values[places[kept]]
    # Of two cells, one may have the covariance.
    matrix = np.where(np.isnan(matrix), matrix.T, matrix)
    np.fill_diagonal(matrix, [cell.variance for cell in cells])
    return None if np.isnan(matrix).any() else np.asarray((matrix + matrix.T) / 2)


def rebuilt(
    scores: Floats, covariances: Floats, seeds: Floats, between: Floats, residual: Floats, examples: int
) -> list[Components]:
    """Returns components of K cells that have the given scores, variances and covariances.

    Args:
        scores: (K,).
        covariances: (K, K) covariances of the scores over samples of test examples.
        seeds: (K,) numbers of seeds; for a mean over tasks 1 + the degrees of freedom of its variance between seeds.
        between: (K,) variances of the scores of single seeds.
        residual: (K,) the parts of `between` that come from the sample of examples.
        examples: G, the number of test examples, which is raised to K + 1 if it is smaller.
    """
    size = len(scores)
    examples = max(examples, size + 1)
    values, vectors = np.linalg.eigh(covariances)
    root = vectors * np.sqrt(values.clip(0) * examples * (examples - 1))
    # Orthonormal rows whose entries sum to 0 (Helmert contrasts): deviations from a mean have sum 0 too.
    rows, columns = np.indices((size, size + 1))
    contrasts = np.where(columns <= rows, 1.0, np.where(columns == rows + 1, -(rows + 1.0), 0.0))
    contrasts /= np.sqrt((rows + 1) * (rows + 2.0))
    by_example = np.zeros((size, examples))
    by_example[:, : size + 1] = root @ contrasts
    own = np.diag(covariances)
    same = own[:, None] + own[None, :] - 2 * covariances <= _SAME * (own[:, None] + own[None, :])
    # Rounding must not make cells with equal predictions differ by a little that tests then divide by.
    by_example = by_example[same.argmax(axis=1)]
    return [
        # Degrees of freedom of a mean over tasks are no whole numbers.
        Components(float(scores[i]), by_example[i], float(seeds[i]), float(between[i]), float(residual[i]))
        for i in range(size)
    ]


def difference_interval(a: ScoreVariance, b: ScoreVariance) -> tuple[float, float, bool] | None:
    """Returns the 95% interval of the score of `a` minus that of `b`, paired over examples; None if unknown.

    The third value is whether it is about the strategies, over test examples and seeds: with one seed on either side it
    is about two fitted models, over test examples alone.
    """
    covariances = covariance([a, b])
    if covariances is None:
        return None
    difference = a.score - b.score
    if min(a.seeds, b.seeds) < 2:
        from scipy.special import stdtrit

        variance = covariances[0, 0] + covariances[1, 1] - 2 * covariances[0, 1]
        half = float(stdtrit(a.examples - 1, 1 - ALPHA / 2)) * float(np.sqrt(max(0.0, variance)))
        return difference - half, difference + half, False
    fields = ("score", "seeds", "seed_variance", "residual_variance")
    scores, seeds, between, residual = (np.array([getattr(one, name) for one in (a, b)], float) for name in fields)
    tests = compare_pairs(rebuilt(scores, covariances, seeds, between, residual, a.examples))
    half = tests.critical() * float(tests.errors[0, 1])
    return difference - half, difference + half, True
