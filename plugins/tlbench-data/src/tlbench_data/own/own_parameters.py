"""Checks the parameters in the name of a task made of your own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from tlbench import METRICS, Metric, UsageError
from tlbench_data.columns import output_kinds as kinds
from tlbench_data.drawing import check_seed
from tlbench_data.words.conll_comments import COMMENTS
from tlbench_data.words.tag_schemes import SCHEMES

if TYPE_CHECKING:
    from tlbench_data.own.own_task import OwnTask

_TEXT_PARAMETERS = ("header", "quotes", "delimiter")
_LINE_PARAMETERS = ("column", "comments")
_TAG_PARAMETERS = ("tag_scheme", "labels", "names", "drop_missing")
_COLUMN_PARAMETERS = (
    "text2",
    "label",
    *_TEXT_PARAMETERS,
    "field",
    "separator",
    "decimal",
    "normalize",
    "kind",
    "max_length",
    "positive_class",
    "sentence",
)
_UNUSED_PARAMETERS: dict[str, tuple[str, ...]] = {
    "csv": ("field", *_LINE_PARAMETERS),
    "tsv": ("field", *_LINE_PARAMETERS),
    "conll": _COLUMN_PARAMETERS,
    "squad": ("text", *_COLUMN_PARAMETERS, *_TAG_PARAMETERS, *_LINE_PARAMETERS, "encoding"),
    "jsonl": (*_TEXT_PARAMETERS, *_LINE_PARAMETERS),
    "parquet": (*_TEXT_PARAMETERS, "field", "encoding", *_LINE_PARAMETERS),
    "hub": (*_TEXT_PARAMETERS, "field", "encoding", *_LINE_PARAMETERS),
}
"""Parameters that each scheme ignores, and which are refused there."""


def check_parameters(task: OwnTask) -> None:
    """Refuses values that no task can have, and parameters that the scheme of the task's name does not use.

    Raises:
        UsageError: A parameter is not valid.
    """
    if task.kind not in ("", *kinds.KINDS):
        raise UsageError(f"{task.name}: kind={task.kind}: choose {', '.join(kinds.KINDS)}")
    # Plugins are searched only for a name that is not built in: discovery imports every installed plugin.
    if task.metric and task.metric not in METRICS and task.metric not in (known := _all_metrics()):
        raise UsageError(f"{task.name}: metric={task.metric}: choose {', '.join(known)}")
    if task.positive_class and task.metric not in kinds.OF_ONE_CLASS:
        raise UsageError(f"{task.name}: positive_class= needs metric={', '.join(kinds.OF_ONE_CLASS)}")
    if task.separator == "":
        raise UsageError(f"{task.name}: separator= is empty: give the character between the labels of a cell")
    for parameter, choices in (("tag_scheme", SCHEMES), ("comments", COMMENTS)):
        if (value := getattr(task, parameter)) not in ("", *choices):
            raise UsageError(f"{task.name}: {parameter}={value}: choose {', '.join(choices)}")
    if task.max_length < 1:
        raise UsageError(f"{task.name}: max_length={task.max_length}: must be at least 1")
    if task.decimal not in ("", ".", ","):
        raise UsageError(f'{task.name}: decimal={task.decimal}: choose . or "," (in quotation marks)')
    if (task.delimiter != "tab" and len(task.delimiter) > 1) or task.delimiter in ('"', "\n", "\r"):
        raise UsageError(f"{task.name}: delimiter={task.delimiter}: give one character, or tab")
    for option in ("labels", "names"):
        parts = joined_names(getattr(task, option))
        if not all(parts) or len(set(parts)) < len(parts):
            raise UsageError(f"{task.name}: {option}= has an empty or repeated name")
    check_seed(task.name, "seed", task.seed)
    defaults = {f.name: f.default for f in fields(task)}
    for parameter in _UNUSED_PARAMETERS.get(task.scheme, ()):
        if getattr(task, parameter) != defaults[parameter]:
            raise UsageError(f"{task.name}: {task.scheme}: does not use {parameter}=; leave it out")


def joined_names(text: str) -> tuple[str, ...]:
    """Returns the names in a parameter such as a+b+c."""
    return tuple(part.strip() for part in text.split("+")) if text else ()


def _all_metrics() -> Mapping[str, Metric]:
    """Returns the built-in metrics and those of plugins."""
    from tlbench.catalog.catalog import Catalog

    return Catalog.discover().metrics
