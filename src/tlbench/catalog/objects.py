"""Validates the attributes of objects from plugins, so that a faulty one is reported and left out."""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable
from typing import Any, get_args

from tlbench.contracts.metric import LONGEST_NAME
from tlbench.contracts.outputs import Output, PredictionForm
from tlbench.metrics import METRICS

_REQUIRED: dict[str, tuple[str, ...]] = {
    "backbone": ("modality",),
    "task": ("modality", "output", "metrics"),
    "metric": ("label", "outputs"),
}
_MISSING = object()


def fault_of(kind: str, item: object) -> str:
    """Returns a message about the first invalid attribute of an object, or an empty text.

    Except for name and version, properties are not evaluated, since they may read files.

    Args:
        kind: The kind of object, such as "task".
        item: The object.
    """
    name = getattr(item, "name", None)
    if not isinstance(name, str) or not name:
        return f"a {kind} of the class {type(item).__name__} has no name"
    title = f"the {kind} {name!r} ({type(item).__name__})"
    # Static lookup finds an attribute without running the property that computes it.
    for attribute in _REQUIRED.get(kind, ()):
        if inspect.getattr_static(item, attribute, _MISSING) is _MISSING:
            return f"{title} has no {attribute}"
    version = getattr(item, "version", 1)
    # Not isinstance: True is an int, but as a version it is a mistake.
    if type(version) is not int:
        return f"{title} has the version {version!r}, which is no int"
    if kind == "task" and not _is_computed(item, "metrics"):
        metrics = getattr(item, "metrics", None)
        if not isinstance(metrics, tuple) or not metrics or not all(isinstance(metric, str) for metric in metrics):
            return f'{title} has the metrics {metrics!r}, which are no tuple of names such as ("accuracy",)'
    if kind == "metric":
        if METRICS.get(name, item) is not item:
            return f"{title} has the name of one of tlbench's own: give it another"
        if fault := _fault_of_metric(item):
            return f"{title} {fault}"
    return ""


def _fault_of_metric(metric: Any) -> str:
    """Returns a message about the first invalid attribute of a metric, or an empty text."""
    values: dict[str, Any] = {}
    for attribute, (is_valid, problem) in _METRIC_ATTRIBUTES.items():
        try:
            value = values[attribute] = getattr(metric, attribute)
            if not is_valid(value):
                return f"has the {attribute} {_short(repr(value))}, which {problem}"
        # Attributes may be properties, and a comparison with the value may raise, as with a NumPy array.
        except (Exception, SystemExit) as error:
            return f"cannot say its {attribute}: {_short(f'{type(error).__name__}: {error}')}"
    low = -math.inf if values["lowest"] is None else values["lowest"]
    high = math.inf if values["highest"] is None else values["highest"]
    if low >= high:
        return f"has the lowest value {low}, which is not below its highest, {high}"
    worst = values["worst"]
    if worst is not None and not low <= worst <= high:
        return f"has the worst value {worst}, which is not between its lowest and highest, {low} and {high}"
    return ""


def _are_outputs(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(map(_is_output, value))


def _is_output(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Output) and getattr(value, "answers", "") in _ANSWERS


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier() and len(value) <= LONGEST_NAME


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    # bool is a subclass of int.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_bound(value: Any) -> bool:
    return value is None or _is_number(value)


_ANSWERS = get_args(PredictionForm)
_BOOL = _is_bool, "is neither True nor False"
_BOUND = _is_bound, "is neither a finite number nor None"
_METRIC_ATTRIBUTES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_name, f"is no identifier of at most {LONGEST_NAME} characters such as within_half"),
    "label": (
        lambda value: _is_text(value) and value.isprintable() and bool(value.strip()),
        "is no line of visible text",
    ),
    "outputs": (_are_outputs, "are no tuple of classes such as (Classes,)"),
    "greater_is_better": _BOOL,
    "lowest": _BOUND,
    "highest": _BOUND,
    "worst": _BOUND,
    "reads_scores": _BOOL,
    "in_points": _BOOL,
    "points": (lambda value: _is_number(value) and value > 0, "is no number above 0"),
    "citation": (_is_text, "is no text"),
}
"""For each attribute, a check of its value, and the end of the error message if the value fails this check."""


def _short(text: str) -> str:
    # One line: a representation may have many.
    return " ".join(text.split())[:200]


def _is_computed(item: object, attribute: str) -> bool:
    value = inspect.getattr_static(item, attribute)
    # Slots are descriptors as well, but they only store a value.
    return hasattr(value, "__get__") and not isinstance(value, types.MemberDescriptorType)
