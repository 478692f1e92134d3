"""Computes the variances and covariances of cells that are kept for intervals of gains and for means over tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlbench.metrics.scored import Floats
from tlbench.results.significance.all_pairs import ALPHA, separate_tests
from tlbench.results.significance.components import Components
from tlbench.results.significance.score_variance import ScoreVariance

MOST_COVARIANCES = 256
"""Largest number of cells of one task whose covariances are kept."""
_SAME = 1e-6
"""Two cells count as equal on all examples if the variance of their difference is at most this share of the sum of
their variances."""


def score_variances(
    cells: Sequence[Components], floors: Sequence[bool] = (), backbones: Sequence[str] = (), family: int = 0
) -> list[ScoreVariance]:
    """Returns the variances and covariances that are kept of K cells that predicted the same test examples.

    Args:
        cells: The components of each cell.
        floors: Whether each cell is a floor, over which gains of other cells are computed; empty if no cell is.
        backbones: The backbone of each cell, or "" for a cell without one. A floor with a backbone serves only cells
            with the same backbone; one without a backbone serves all cells.
        family: Number of the family, as in `ScoreVariance`.
    """
    count = len(cells[0].by_example)
    kept = [b""] * len(cells)
    if len(cells) <= MOST_COVARIANCES:
        by_example = np.stack([cell.by_example for cell in cells])
        covariances = (by_example @ by_example.T / (count * (count - 1))).astype(np.float32)
        kept = [row.tobytes() for row in covariances]
    from_floors = _from_floors(cells, floors, backbones) if any(floors) else [{} for _ in cells]
    return [
        ScoreVariance(
            family, i, cell.score, cell.example_df, int(cell.seeds), cell.seed_variance, cell.residual_variance,
            kept[i], from_floors[i],
        )
        for i, cell in enumerate(cells)
    ]  # fmt: skip


def half_widths(cells: Sequence[Components]) -> Floats:
    """Returns (K, K): half the width of the 95% interval of the difference between each pair of cells on its own.

    The interval is over test examples, which both cells share, and over seeds; if either cell has one seed, it is over
    test examples alone.
    """
    from scipy.special import stdtrit

    by_example = np.stack([cell.by_example for cell in cells])
    count, free = by_example.shape[1], min(cell.example_df for cell in cells)
    covariances = by_example @ by_example.T / (count * (count - 1))
    own = np.diag(covariances)
    examples = (own[:, None] + own[None, :] - 2 * covariances).clip(0)
    half = np.asarray(stdtrit(free, 1 - ALPHA / 2) * np.sqrt(examples))
    repeated = [i for i, cell in enumerate(cells) if cell.seeds > 1]
    if repeated:
        errors, df = separate_tests([cells[i] for i in repeated])
        half[np.ix_(repeated, repeated)] = stdtrit(df, 1 - ALPHA / 2) * errors
    return half


def _from_floors(
    cells: Sequence[Components], floors: Sequence[bool], backbones: Sequence[str]
) -> list[dict[int, float]]:
    """Returns, for each cell but floors, half the width of the interval of its difference from each of its floors."""
    results: list[dict[int, float]] = [{} for _ in cells]
    for backbone in dict.fromkeys(backbones):
        members = [i for i, name in enumerate(backbones) if name == backbone and not floors[i]]
        known = [i for i, name in enumerate(backbones) if name in (backbone, "") and floors[i]]
        if members and known:
            half = half_widths([cells[i] for i in (*members, *known)])[: len(members), len(members) :]
            for i, row in zip(members, half.tolist(), strict=True):
                results[i] = dict(zip(known, row, strict=True))
    return results


def covariance(cells: Sequence[ScoreVariance]) -> Floats | None:
    """Returns (K, K): covariances of scores over samples of test examples; None if they were not kept."""
    known = [cell.known for cell in cells]
    if len({cell.family for cell in cells}) > 1 or not all(map(len, known)):
        return None
    places = [cell.place for cell in cells]
    matrix = np.stack([row[places] for row in known])
    return np.asarray((matrix + matrix.T) / 2)


def rebuilt(
    scores: Floats, covariances: Floats, seeds: Floats, between: Floats, residual: Floats, example_df: float
) -> list[Components]:
    """Returns components of K cells that have the given scores, variances and covariances.

    Args:
        scores: (K,).
        covariances: (K, K) covariances of the scores over samples of test examples.
        seeds: (K,) numbers of seeds; for a mean over tasks 1 + the degrees of freedom of its variance between seeds.
        between: (K,) variances of the scores of single seeds.
        residual: (K,) the parts of `between` that come from the sample of examples.
        example_df: Degrees of freedom of the covariances.
    """
    size = len(scores)
    values, vectors = np.linalg.eigh(covariances)
    root = vectors * np.sqrt(values.clip(0) * size * (size + 1))
    # Orthonormal rows whose entries sum to 0 (Helmert contrasts): deviations from a mean have sum 0 too.
    rows, columns = np.indices((size, size + 1))
    contrasts = np.where(columns <= rows, 1.0, np.where(columns == rows + 1, -(rows + 1.0), 0.0))
    contrasts /= np.sqrt((rows + 1) * (rows + 2.0))
    by_example = root @ contrasts
    own = np.diag(covariances)
    same = own[:, None] + own[None, :] - 2 * covariances <= _SAME * (own[:, None] + own[None, :])
    # Cells with equal predictions get equal values: a test would divide by a tiny difference that is due to rounding.
    by_example = by_example[same.argmax(axis=1)]
    return [
        # `seeds` of a mean over tasks is 1 + degrees of freedom, which need not be a whole number.
        Components(float(scores[i]), by_example[i], float(seeds[i]), float(between[i]), float(residual[i]), example_df)
        for i in range(size)
    ]
