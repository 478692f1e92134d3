"""Conversion of targets and predictions of every output kind to the arrays that metrics read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlbench.contracts.errors import Diverged, PluginError
from tlbench.contracts.outputs import Output, Predictions
from tlbench.contracts.untrusted.visible_text import printable
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
        return numbers(targets, predictions, output.whole, len(output.classes) or None)
    if output.answers == "labels":
        return labels(targets, predictions, len(output.classes))
    if output.answers == "tags":
        return tags(targets, predictions, output.classes)
    return texts(targets, predictions)


def numbers(targets: Sequence[Any], predictions: Predictions, whole: bool, classes: int | None = None) -> Arrays:
    """Returns targets and predictions (N,), in int64 if they are integers (`whole`), else in fp64.

    Args:
        targets: The targets.
        predictions: The predictions.
        whole: Whether they are integers.
        classes: The number of classes, if the integers are indices of classes.

    Raises:
        PluginError: There is not one number for each example, or a class is no whole number or none of the classes.
        Diverged: A prediction is not finite.
    """
    dtype: Any = np.int64 if whole else np.float64
    arrays = _reshaped(targets, predictions, (len(targets),), dtype, "a whole number" if whole else "a number")
    if classes is not None:
        _refuse_first(
            predictions, (arrays[1] < 0) | (arrays[1] >= classes), f"none of the {classes} classes, 0 to {classes - 1}"
        )
    return arrays


def labels(targets: Sequence[Any], predictions: Predictions, count: int) -> Arrays:
    """Returns targets and predictions (N, K) of 0 and 1, where K is `count`.

    Raises:
        PluginError: There is not one row of labels for each example, or a label is neither 0 nor 1.
        Diverged: A prediction is not finite.
    """
    arrays = _reshaped(targets, predictions, (len(targets), count), np.int64, "a row of 0 and 1")
    _refuse_first(predictions, ((arrays[1] != 0) & (arrays[1] != 1)).any(axis=1), "not a row of 0 and 1")
    return arrays


def tags(targets: Sequence[Any], predictions: Predictions, names: Sequence[str]) -> Arrays:
    """Returns targets and predictions (N,) of dtype object: tuples of tag names, one for each word.

    Raises:
        PluginError: An example has more or fewer predicted tags than words, or a prediction is not the index of a tag.
    """
    for name, target, value in zip(predictions.ids, targets, predictions.values, strict=True):
        if len(value) != len(target):
            raise PluginError(f"{name}: {len(value)} predictions for {len(target)} words")
        for index in value:
            if (
                isinstance(index, bool | np.bool_)
                or not isinstance(index, int | np.integer)
                or not 0 <= index < len(names)
            ):
                raise PluginError(
                    f"{name}: the prediction {_shown(index)} is not the index of one of {len(names)} tags"
                )
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
            raise PluginError(f"{name}: the prediction {_shown(value)} is not a text")
    # A target of `Span` is an `Answer` with text and start, a target of `Text` only the text.
    accepted = [tuple(getattr(answer, "text", answer) for answer in target) for target in targets]
    return objects(accepted), objects([str(value) for value in predictions.values])


def _named(names: Sequence[str], indices: Sequence[int]) -> tuple[str, ...]:
    return tuple(names[int(index)] for index in indices)


def _reshaped(
    targets: Sequence[Any], predictions: Predictions, shape: tuple[int, ...], dtype: Any, what: str
) -> Arrays:
    """Returns targets and predictions in a shape and type, if the predictions have these values.

    Raises:
        PluginError: The shape is another, or a prediction is not what it should be, a number or a whole number.
        Diverged: A prediction is not finite.
    """
    values = predictions.values
    if values.shape != shape:
        raise PluginError(f"predictions {values.shape} should be {shape}")
    # Multi-hot rows are often made by a comparison; a single True is more likely a mistake than a class.
    if values.dtype.kind not in ("iufb" if len(shape) > 1 else "iuf"):
        first = f"{predictions.ids[0]}: " if len(predictions.ids) else ""
        shown = _shown(values[0]) if len(values) else values.dtype
        raise PluginError(f"{first}the prediction {shown} is not {what} but of type {values.dtype}")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise Diverged("predictions that are not finite")
        if dtype == np.int64:
            # Also of what int64 does not hold: casting would make other numbers of them.
            odd = (values != np.round(values)) | (np.abs(values) >= 2.0**62)
            _refuse_first(predictions, odd.reshape(len(values), -1).any(axis=1), f"not {what}")
    return np.asarray(targets).astype(dtype).reshape(shape), values.astype(dtype)


def _refuse_first(predictions: Predictions, wrong: Array, problem: str) -> None:
    """Raises an error that names the first example whose prediction is wrong, if there is one."""
    rows = np.flatnonzero(wrong)
    if len(rows):
        row = int(rows[0])
        raise PluginError(f"{predictions.ids[row]}: the prediction {_shown(predictions.values[row])} is {problem}")


def _shown(value: Any) -> str:
    return printable(value.tolist() if isinstance(value, np.ndarray | np.generic) else repr(value), 80)
