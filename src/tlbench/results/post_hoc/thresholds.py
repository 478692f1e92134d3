"""Chooses the threshold of F1 on the validation split: the probability from which an example counts as positive."""

from __future__ import annotations

import numpy as np

from tlbench.metrics.scored import Array, Floats, Scored, probabilities

METRICS_WITH_THRESHOLD = ("f1", "f1_macro", "f1_micro", "f1_weighted")
_MOST = 2000
"""Maximum number of thresholds that are tried; if there are more distinct probabilities, their quantiles are used."""


def has_threshold(scored: Scored, metric: str) -> bool:
    """Returns whether a threshold can turn the probabilities into predictions: those of labels, or of two classes."""
    if scored.scores is None:
        return False
    if scored.kind == "labels":
        return metric in METRICS_WITH_THRESHOLD[1:]
    return metric == "f1" and scored.scores.shape[1] == 2


def best_threshold(scored: Scored, metric: str) -> float:
    """Returns the threshold with the best F1 on these examples; of equally good ones, the nearest to 0.5.

    Labels share one threshold. It is the lowest probability that occurs, or halfway between two that do.
    """
    scores, targets = _columns(scored)
    occurring = np.unique(scores)
    if len(occurring) > _MOST:
        occurring = np.unique(np.quantile(occurring, np.linspace(0, 1, _MOST)))
    thresholds = np.concatenate([occurring[:1], (occurring[:-1] + occurring[1:]) / 2])
    values = _f1(scores, targets, thresholds, metric)
    best = np.flatnonzero(values >= values.max() - 1e-12)
    return float(thresholds[best[np.argmin(np.abs(thresholds[best] - 0.5))]])


def at_threshold(scored: Scored, threshold: float) -> Scored:
    """Returns the predictions with this threshold: positive if the probability is at least the threshold."""
    scores, _ = _columns(scored)
    positive = scores >= threshold
    if scored.kind == "labels":
        return Scored(scored.targets, positive.astype(np.int64), scored.scores, scored.positive)
    values = np.where(positive[:, 0], scored.positive, 1 - scored.positive)
    return Scored(scored.targets, values, scored.scores, scored.positive)


def _columns(scored: Scored) -> tuple[Floats, Array]:
    """Returns (N, K) probabilities of being positive, and (N, K) whether the target is; K is 1 for two classes."""
    scores = probabilities(scored)
    if scored.kind == "labels":
        return scores, scored.targets == 1
    return scores[:, [scored.positive]], (scored.targets == scored.positive)[:, None]


def _f1(scores: Floats, actual: Array, thresholds: Floats, metric: str) -> Floats:
    """Returns F1 at each of the thresholds (T,)."""
    correct, predicted, total = (np.empty((len(thresholds), scores.shape[1])) for _ in range(3))
    for k in range(scores.shape[1]):
        for counts, rows in ((predicted, scores[:, k]), (correct, scores[actual[:, k], k])):
            counts[:, k] = len(rows) - np.searchsorted(np.sort(rows), thresholds, side="left")
        total[:, k] = np.count_nonzero(actual[:, k])
    if metric in {"f1", "f1_micro"}:
        correct, predicted, total = (part.sum(axis=1, keepdims=True) for part in (correct, predicted, total))
    sums = predicted + total
    of_labels = np.divide(2 * correct, sums, out=np.zeros_like(sums), where=sums > 0)
    weights = total if metric == "f1_weighted" and total.any() else np.ones_like(total)
    return np.asarray((of_labels * weights).sum(axis=1) / weights.sum(axis=1))
