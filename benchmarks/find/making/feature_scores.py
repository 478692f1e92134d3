"""Scores of frozen features that are meant to predict how well a backbone can be adapted, without fitting it.

Only policies that `find` is compared with read them. Features are (N, D), targets (N,) classes; greater is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]
Targets = NDArray[np.integer]

NEIGHBOURS = 3
ITERATIONS = 100
TOLERANCE = 1e-6


def nearest_neighbours(features: Features, targets: Targets) -> float:
    """Returns the accuracy of the vote of each row's three nearest other rows, by Euclidean distance.

    Where all three disagree, the nearest one decides. This is the estimator of TransformerRanker (Garbas et al. 2025,
    arXiv:2409.05997).
    """
    rows = np.asarray(features, dtype=np.float64)
    norms = (rows**2).sum(1)
    distances = norms[:, None] + norms - 2 * rows @ rows.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = np.zeros((len(rows), int(targets.max()) + 1))
    for place in range(nearest.shape[1]):
        votes[np.arange(len(rows)), targets[nearest[:, place]]] += 1.1 if place == 0 else 1.0
    return float((votes.argmax(1) == targets).mean())


def h_score(features: Features, targets: Targets) -> float:
    """Returns the H-score with shrunk covariance: trace(inverse(cov(f)) cov(E[f | y])), from 0 to classes - 1.

    Bao et al. 2019, arXiv:2212.10082; the shrinkage by Ledoit and Wolf's estimate is that of Ibrahim et al. 2022,
    arXiv:2110.06893.
    """
    from sklearn.covariance import ledoit_wolf

    rows = np.asarray(features, dtype=np.float64)
    rows = rows - rows.mean(0)
    covariance, shrinkage = ledoit_wolf(rows, assume_centered=True)
    means = np.stack([rows[targets == one].mean(0) for one in np.unique(targets)])
    shares = np.array([(targets == one).mean() for one in np.unique(targets)])
    between = (1 - shrinkage) * (means.T * shares) @ means
    # The pseudo-inverse, since constant features leave the covariance singular where nothing is shrunk.
    return float(np.trace(np.linalg.pinv(covariance, hermitian=True) @ between))


def log_me(features: Features, targets: Targets) -> float:
    """Returns the log evidence of a Bayesian linear regression on the features, per row, as a mean over the classes.

    Each class is regressed as 0 and 1, with a prior of precision alpha on the weights and noise of precision beta, both
    of the values that maximise the evidence (You et al. 2021, arXiv:2102.11005).
    """
    spectrum = Spectrum.of(features)
    found = []
    for one in np.unique(targets):
        target = (targets == one).astype(np.float64)
        found.append(spectrum.log_evidence(target, *spectrum.precisions(target)))
    return float(np.mean(found))


@dataclass(frozen=True)
class Spectrum:
    """The singular value decomposition of features, on which the evidence of a linear regression is cheap."""

    left: NDArray[np.float64]
    """The left singular vectors, (N, K)."""
    squares: NDArray[np.float64]
    """The squared singular values, (K,)."""

    @classmethod
    def of(cls, features: Features) -> Spectrum:
        """Returns the decomposition of features, (N, D)."""
        left, singular, _ = np.linalg.svd(np.asarray(features, dtype=np.float64), full_matrices=False)
        return cls(left, singular**2)

    def precisions(self, target: NDArray[np.float64]) -> tuple[float, float]:
        """Returns the precisions of the weights and of the noise that maximise the evidence, by fixed-point steps."""
        alpha = beta = 1.0
        for _ in range(ITERATIONS):
            ratio = alpha / beta
            effective = float((self.squares / (self.squares + ratio)).sum())
            weights, errors = self._fitted(target, ratio)
            # The small numbers keep a perfect fit, or a class that no feature tells of, finite.
            alpha, beta = effective / (weights + 1e-12), (len(target) - effective) / (errors + 1e-12)
            if abs(alpha / beta - ratio) <= TOLERANCE * ratio:
                break
        return alpha, beta

    def log_evidence(self, target: NDArray[np.float64], alpha: float, beta: float) -> float:
        """Returns the log density of the target per row, all weights integrated out."""
        rows = len(target)
        weights, errors = self._fitted(target, alpha / beta)
        # Directions without a singular value have the precision alpha before and after, so they cancel.
        determinant = float(np.log(alpha + beta * self.squares).sum()) - len(self.squares) * math.log(alpha)
        quadratic = beta * errors + alpha * weights
        return (rows * math.log(beta / (2 * math.pi)) - determinant - quadratic) / (2 * rows)

    def _fitted(self, target: NDArray[np.float64], ratio: float) -> tuple[float, float]:
        """Returns the squared length of the ridge regression's weights and its squared errors."""
        parts = (self.left.T @ target) ** 2
        rest = max(0.0, float(target @ target - parts.sum()))
        weights = float((self.squares * parts / (self.squares + ratio) ** 2).sum())
        return weights, float((parts * (ratio / (self.squares + ratio)) ** 2).sum()) + rest


FEATURE_SCORES: Mapping[str, Callable[[Features, Targets], float]] = MappingProxyType(
    {"knn": nearest_neighbours, "h-score": h_score, "logme": log_me}
)
