"""Targets and answers of each kind as arrays that metrics read; what does not fit is the predictor's mistake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlbench.contracts.errors import PluginError
from tlbench.contracts.outputs import Output, Predictions
from tlbench.metrics.scored import Array, Scored, objects

Arrays = tuple[Array, Array]


def scored_of(output: Output, targets: Sequence[Any], predictions: Predictions, positive: int = 1) -> Scored:
    """Returns what a predictor said beside the examples' targets.

    Raises:
        PluginError: An answer that is not what the output asks for; the message names the example.
    """
    if len(targets) != len(predictions):
        raise PluginError(f"{len(predictions)} predictions for {len(targets)} examples")
    asked, said = arrays_of(output, targets, predictions)
    scored = Scored(asked, said, predictions.scores if output.answers in {"numbers", "labels"} else None, positive)
    if len(scored) and scored.kind != output.answers:
        raise PluginError(f"{type(output).__name__}.arrays gave {scored.kind}, and not {output.answers}")
    return scored


def arrays_of(output: Output, targets: Sequence[Any], predictions: Predictions) -> Arrays:
    """Returns targets and predictions as metrics read them, as the output converts them or by the shape of its answers.

    Raises:
        PluginError: A prediction that is not what the output asks for; the message names the example.
    """
    own = output.arrays(targets, predictions)
    return usual_arrays(output, targets, predictions) if own is None else own


def usual_arrays(output: Output, targets: Sequence[Any], predictions: Predictions) -> Arrays:
    """Returns what `arrays_of` does for an output that converts nothing itself; an output's `arrays` may call it."""
    if output.answers == "numbers":
        return numbers(targets, predictions, output.whole)
    if output.answers == "labels":
        return labels(targets, predictions, len(output.classes))
    if output.answers == "tags":
        return tags(targets, predictions, output.classes)
    return texts(targets, predictions)


def numbers(targets: Sequence[Any], predictions: Predictions, whole: bool) -> Arrays:
    """Returns (N,) each, in int64 if they are whole and else in fp64.

    Raises:
        PluginError: There is not one number for each example.
    """
    dtype: Any = np.int64 if whole else np.float64
    return _shaped(targets, predictions, (len(targets),), dtype)


def labels(targets: Sequence[Any], predictions: Predictions, count: int) -> Arrays:
    """Returns (N, K) of 0 and 1 each.

    Raises:
        PluginError: There is not one row of labels for each example.
    """
    return _shaped(targets, predictions, (len(targets), count), np.int64)


def tags(targets: Sequence[Any], predictions: Predictions, names: Sequence[str]) -> Arrays:
    """Returns (N,) of tuples of names each, one for each word.

    Raises:
        PluginError: An example has more or fewer answers than words.
    """
    for name, target, value in zip(predictions.ids, targets, predictions.values, strict=True):
        if len(value) != len(target):
            raise PluginError(f"{name}: {len(value)} predictions for {len(target)} words")
    return objects([_named(names, target) for target in targets]), objects(
        [_named(names, value) for value in predictions.values]
    )


def texts(targets: Sequence[Any], predictions: Predictions) -> Arrays:
    """Returns (N,) of tuples of accepted texts, and (N,) of texts.

    Raises:
        PluginError: An answer is no text.
    """
    for name, value in zip(predictions.ids, predictions.values, strict=True):
        if not isinstance(value, str):
            raise PluginError(f"{name}: the prediction {value!r} is no text")
    # A span's answer is a text and where it stands; a text has only the text.
    accepted = [tuple(getattr(answer, "text", answer) for answer in target) for target in targets]
    return objects(accepted), objects([str(value) for value in predictions.values])


def _named(names: Sequence[str], indices: Sequence[int]) -> tuple[str, ...]:
    return tuple(names[int(index)] for index in indices)


def _shaped(targets: Sequence[Any], predictions: Predictions, shape: tuple[int, ...], dtype: Any) -> Arrays:
    values = predictions.values
    if values.shape != shape:
        raise PluginError(f"predictions {values.shape} should be {shape}")
    return np.asarray(targets).astype(dtype).reshape(shape), values.astype(dtype)
