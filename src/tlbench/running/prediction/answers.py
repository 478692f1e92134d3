"""The answer to one new row: the prediction by name, probabilities, and a calibrated confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tlbench.contracts.outputs import Output, Predictions
from tlbench.results.post_hoc.calibration import at_temperature


@dataclass(frozen=True)
class RowAnswer:
    """The prediction for one row, or the reason why there is none."""

    prediction: Any = None
    """The name of a class, a list of label names, a list of tags (one a word), a number or a text; None if there is
    none."""
    confidence: float | None = None
    """The calibrated probability that the prediction is right; for several labels, of the least certain one. None if
    the strategy gives no probabilities."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """The probability of each class or label, not calibrated."""
    problem: str = ""
    """Why there is no prediction, in one line; empty if there is one."""


def answers_of(output: Output, predictions: Predictions, temperature: float = 1.0) -> list[RowAnswer]:
    """Returns predictions as answers with names and probabilities, in their order.

    Args:
        output: The task's kind of output.
        predictions: Predictions of examples.
        temperature: Divides the logits for the confidence; 1 leaves the probabilities as they are.
    """
    named = [_named(output, value) for value in predictions.values]
    scores = predictions.scores
    if scores is None:
        return [RowAnswer(value) for value in named]
    scores = np.asarray(scores, dtype=np.float64)
    confidences = _confidences(output, predictions.values, scores, temperature)
    names = output.classes or tuple(map(str, range(scores.shape[1])))
    return [
        RowAnswer(value, float(confidence), dict(zip(names, map(float, row), strict=True)))
        for value, confidence, row in zip(named, confidences, scores, strict=True)
    ]


def _named(output: Output, value: Any) -> Any:
    """Returns one prediction with names in place of indices."""
    names = output.classes
    if output.answers == "texts":
        return str(value)
    if output.answers == "tags":
        return [_name(names, tag) for tag in value]
    if output.answers == "labels":
        return [name for name, given in zip(names, value, strict=True) if given]
    if names:
        return _name(names, value)
    return int(value) if output.whole else float(value)


def _name(names: Sequence[str], value: Any) -> str:
    # Tags may be names already, in outputs of plugins.
    return value if isinstance(value, str) else names[int(value)]


def _confidences(output: Output, values: np.ndarray, scores: np.ndarray, temperature: float) -> np.ndarray:
    """Returns (N,) calibrated probabilities that the predictions are right."""
    if output.answers != "labels":
        calibrated = at_temperature(scores, temperature)
        return np.asarray(calibrated[np.arange(len(values)), np.asarray(values, dtype=np.int64)])
    # Each label is a choice between two classes, as when the temperature was fitted.
    pairs = np.stack([1 - scores.ravel(), scores.ravel()], axis=1)
    positive = at_temperature(pairs, temperature)[:, 1].reshape(scores.shape)
    return np.asarray(np.where(np.asarray(values) > 0, positive, 1 - positive).min(axis=1))
