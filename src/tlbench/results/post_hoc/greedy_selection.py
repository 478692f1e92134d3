"""Greedy selection of an ensemble from many fits: Caruana et al. 2004, doi:10.1145/1015330.1015432."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tlbench.metrics.scored import Array, Floats

ROUNDS = 25
"""Maximum number of members, counted with repetition; weights are therefore multiples of at least 1/25."""
_ROUNDING = 1e-9
"""Smaller differences between scores count as rounding errors, such as those of adding a constant fit, which changes no
correlation."""


def greedy_weights(
    fits: Floats,
    goodness: Callable[[Floats], float],
    among_equals: Callable[[Floats], float] = lambda average: 0.0,
    rounds: int = ROUNDS,
) -> Array:
    """Returns how often each fit is in the ensemble whose averaged predictions are best on the validation split, (M,).

    The ensemble begins empty. Each round adds the fit with which the average is best; a fit may be added again, which
    gives it more weight. The result is the ensemble of the round with the best score, the first of equally good ones.

    Args:
        fits: (M, N) or (M, N, K): each fit's predictions of the N validation examples.
        goodness: Returns how good averaged predictions, (N,) or (N, K), are; greater is better.
        among_equals: A second measure like `goodness`, which decides between fits for which `goodness` is equal; if it
            is equal too, the first fit is added.
        rounds: Maximum number of rounds.
    """
    counts = np.zeros(len(fits), dtype=np.int64)
    best_counts, best = counts, -np.inf
    total = np.zeros_like(fits[0])
    for size in range(1, rounds + 1):
        values = np.array([goodness((total + fit) / size) for fit in fits])
        equal = np.flatnonzero(values >= values.max() - _ROUNDING)
        # Of equal values, argmax returns the first.
        chosen = equal[int(np.argmax([among_equals((total + fits[i]) / size) for i in equal])) if len(equal) > 1 else 0]
        total = total + fits[chosen]
        counts = counts + (np.arange(len(fits)) == chosen)
        if values[chosen] > best + _ROUNDING:
            best_counts, best = counts, values[chosen]
    return best_counts
