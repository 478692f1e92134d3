"""How well probabilities are calibrated, and temperature scaling: Guo et al. 2017, arXiv:1706.04599.

Probabilities are (N, K) and targets class indices (N,). `as_classes` gives labels this form: each label of each example
is a choice between two classes.
"""

from __future__ import annotations

import math

import numpy as np

from tlbench.metrics import METRICS
from tlbench.metrics.resampling import score
from tlbench.metrics.scored import Array, Floats, Scored, probabilities

_SMALLEST = float(np.finfo(np.float32).tiny)
"""Smaller probabilities are raised to this one before their logarithm is taken: a probability in fp32 may be 0."""
_ROUNDING = 1e-12
"""Smaller differences between losses, in nats, are rounding errors."""
BOUNDS = (0.01, 100.0)
"""Range of the temperature, which would be 0 for a fit without errors on validation."""


def as_classes(scored: Scored) -> tuple[Array, Floats]:
    """Returns targets (M,) and probabilities (M, K) of predictions with probabilities: M = N, or N x K for labels."""
    scores = probabilities(scored)
    if scored.kind != "labels":
        return scored.targets, scores
    positive = scores.ravel()
    return scored.targets.ravel(), np.stack([1 - positive, positive], axis=1)


def calibration_error(targets: Array, scores: Floats) -> float:
    """Returns the expected calibration error with 15 bins of equal width, as a share of 1."""
    return _of("calibration_error", targets, scores)


def log_loss(targets: Array, scores: Floats) -> float:
    """Returns the mean negative log-likelihood of the targets, in nats."""
    return _of("log_loss", targets, scores)


def brier_score(targets: Array, scores: Floats) -> float:
    """Returns the mean squared distance of the probabilities from the one-hot targets, from 0 to 2 (Brier 1950)."""
    return float(np.mean(((scores - np.eye(scores.shape[1])[targets]) ** 2).sum(axis=1)))


def fitted_temperature(targets: Array, scores: Floats) -> float:
    """Returns the temperature, within `BOUNDS`, that minimises the log loss of these examples; 1 if none lowers it."""
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    logits = _logits(scores)
    of_target = logits[np.arange(len(targets)), targets]

    def loss(inverse: float) -> float:
        return float(np.mean(logsumexp(inverse * logits, axis=1) - inverse * of_target))

    # The loss is convex in the inverse of the temperature, so that there is one minimum.
    low, high = (-math.log(bound) for bound in reversed(BOUNDS))
    found = minimize_scalar(
        lambda power: loss(math.exp(power)), bounds=(low, high), method="bounded", options={"xatol": 1e-7}
    )
    # The loss is flat if all probabilities are equal or all are 0 or 1; then every temperature is a minimum.
    return math.exp(-float(found.x)) if loss(1.0) - loss(math.exp(found.x)) > _ROUNDING else 1.0


def at_temperature(scores: Floats, temperature: float) -> Floats:
    """Returns the probabilities (N, K) after the logits are divided by the temperature, which keeps predictions."""
    from scipy.special import softmax

    return np.asarray(softmax(_logits(scores) / temperature, axis=1))


def _logits(scores: Floats) -> Floats:
    # The logarithms of probabilities are logits up to a constant of each row, which a softmax ignores.
    return np.log(np.maximum(scores, _SMALLEST))


def _of(metric: str, targets: Array, scores: Floats) -> float:
    return score(METRICS[metric], Scored(targets, scores.argmax(axis=1), scores))
