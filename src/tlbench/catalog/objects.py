"""What an object that a plugin brings must have, so that one without it is named and left out."""

from __future__ import annotations

import inspect
import types

from tlbench.metrics import METRICS

_REQUIRED: dict[str, tuple[str, ...]] = {
    "backbone": ("modality",),
    "task": ("modality", "output", "metrics"),
    "metric": ("label", "outputs"),
}
_MISSING = object()


def fault_of(kind: str, item: object) -> str:
    """Returns what is wrong with an object's attributes, naming the object and the attribute; empty for nothing.

    What is computed, by a property, may read files, so that it isn't read here but for the name and the version.
    """
    name = getattr(item, "name", None)
    if not isinstance(name, str) or not name:
        return f"a {kind} of the class {type(item).__name__} has no name"
    title = f"the {kind} {name!r} ({type(item).__name__})"
    for attribute in _REQUIRED.get(kind, ()):
        if inspect.getattr_static(item, attribute, _MISSING) is _MISSING:
            return f"{title} has no {attribute}"
    version = getattr(item, "version", 1)
    if type(version) is not int:
        return f"{title} has the version {version!r}, which is no int"
    if kind == "task" and not _computed(item, "metrics"):
        metrics = getattr(item, "metrics", None)
        if not isinstance(metrics, tuple) or not metrics or not all(isinstance(metric, str) for metric in metrics):
            return f'{title} has the metrics {metrics!r}, which are no tuple of names such as ("accuracy",)'
    if kind == "metric":
        if METRICS.get(name, item) is not item:
            return f"{title} has the name of one of tlbench's own: give it another"
        label = getattr(item, "label", None)
        if not isinstance(label, str) or not label or not label.isprintable():
            return f"{title} has the label {label!a}, which is no line of visible characters"
        outputs = getattr(item, "outputs", None)
        if not isinstance(outputs, tuple) or not outputs or not all(isinstance(output, type) for output in outputs):
            return f"{title} has the outputs {outputs!r}, which are no tuple of classes such as (Classes,)"
    return ""


def _computed(item: object, attribute: str) -> bool:
    value = inspect.getattr_static(item, attribute)
    return hasattr(value, "__get__") and not isinstance(value, types.MemberDescriptorType)
