"""Conversion of targets and predictions of every output kind to the arrays that metrics read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Output, Predictions
from tlbench.metrics.scored import Array, Scored, objects

Arrays = tuple[Array, Array]


def scored_of(output: Output, targets: Sequence[Any], predictions: Predictions, positive: int = 1) -> Scored:
    """Returns a predictor's predictions with the examples' targets, as the input of metrics.

    Raises:
        PluginError: A prediction does not have the form of the output; the message names the example.
    """
    if len(targets) != len(predictions):
        raise PluginError(f"{len(predictions)} predictions for {len(targets)} examples")
    target_array, values = to_arrays(output, targets, predictions)
    # Probabilities of tags and texts have no form that a metric reads.
    scored = Scored(
        target_array, values, predictions.scores if output.answers in {"numbers", "labels"} else None, positive
    )
    if len(scored) and scored.kind != output.answers:
        raise PluginError(f"{type(output).__name__}.arrays returned {scored.kind} instead of {output.answers}")
    return scored


def to_arrays(output: Output, targets: Sequence[Any], predictions: Predictions) -> Arrays:
    """Returns targets and predictions as arrays, by the output's own conversion or else by `usual_arrays`.

    Raises:
        PluginError: A prediction does not have the form of the output; the message names the example.
    """
    custom = output.arrays(targets, predictions)
    return usual_arrays(output, targets, predictions) if custom is None else custom


def usual_arrays(output: Output, targets: Sequence[Any], predictions: Predictions) -> Arrays:
    """Returns targets and predictions as arrays by the form of the output; an override of `Output.arrays` may call it.

    Raises:
        PluginError: A prediction does not have that form; the message names the example.
    """
    if output.answers == "numbers":
        return numbers(targets, predictions, output.whole)
    if output.answers == "labels":
        return labels(targets, predictions, len(output.classes))
    if output.answers == "tags":
        return tags(targets, predictions, output.classes)
    return texts(targets, predictions)


def numbers(targets: Sequence[Any], predictions: Predictions, whole: bool) -> Arrays:
    """Returns targets and predictions (N,), in int64 if they are integers (`whole`), else in fp64.

    Raises:
        PluginError: There is not one number for each example.
    """
    dtype: Any = np.int64 if whole else np.float64
    return _reshaped(targets, predictions, (len(targets),), dtype)


def labels(targets: Sequence[Any], predictions: Predictions, count: int) -> Arrays:
    """Returns targets and predictions (N, K) of 0 and 1, where K is `count`.

    Raises:
        PluginError: There is not one row of labels for each example.
    """
    return _reshaped(targets, predictions, (len(targets), count), np.int64)


def tags(targets: Sequence[Any], predictions: Predictions, names: Sequence[str]) -> Arrays:
    """Returns targets and predictions (N,) of dtype object: tuples of tag names, one for each word.

    Raises:
        PluginError: An example has more or fewer predicted tags than words.
    """
    for name, target, value in zip(predictions.ids, targets, predictions.values, strict=True):
        if len(value) != len(target):
            raise PluginError(f"{name}: {len(value)} predictions for {len(target)} words")
    return objects([_named(names, target) for target in targets]), objects(
        [_named(names, value) for value in predictions.values]
    )


def texts(targets: Sequence[Any], predictions: Predictions) -> Arrays:
    """Returns targets (N,), tuples of accepted texts, and predictions (N,), texts; both of dtype object.

    Raises:
        PluginError: A prediction is not a text.
    """
    for name, value in zip(predictions.ids, predictions.values, strict=True):
        if not isinstance(value, str):
            raise PluginError(f"{name}: the prediction {value!r} is not a text")
    # A target of `Span` is an `Answer` with text and start, a target of `Text` only the text.
    accepted = [tuple(getattr(answer, "text", answer) for answer in target) for target in targets]
    return objects(accepted), objects([str(value) for value in predictions.values])


def _named(names: Sequence[str], indices: Sequence[int]) -> tuple[str, ...]:
    return tuple(names[int(index)] for index in indices)


def _reshaped(targets: Sequence[Any], predictions: Predictions, shape: tuple[int, ...], dtype: Any) -> Arrays:
    values = predictions.values
    if values.shape != shape:
        raise PluginError(f"predictions {values.shape} should be {shape}")
    return np.asarray(targets).astype(dtype).reshape(shape), values.astype(dtype)
