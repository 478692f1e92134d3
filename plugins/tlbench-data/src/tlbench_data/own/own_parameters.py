"""Checks the options in the name of a task made of your own files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tlbench import METRICS, DataError, Metric, Output, UsageError
from tlbench.catalog.names import similar
from tlbench_data.columns import output_kinds as kinds
from tlbench_data.columns.label_values import class_key
from tlbench_data.division.split_options import check_seed, check_shares
from tlbench_data.name_lists import renamed_pairs
from tlbench_data.own.name_files import names_in
from tlbench_data.own.own_options import check_effects
from tlbench_data.words.conll_comments import COMMENTS
from tlbench_data.words.tag_schemes import SCHEMES

if TYPE_CHECKING:
    from tlbench_data.own.own_task import OwnTask


def check_parameters(task: OwnTask) -> None:
    """Refuses invalid values of options, and options that the scheme of the task does not use.

    Raises:
        UsageError: An option is not valid.
    """
    if task.kind not in ("", *kinds.KINDS):
        raise UsageError(
            f"{task.name}: kind={task.kind}: choose {', '.join(kinds.KINDS)}{similar(task.kind, kinds.KINDS)}"
        )
    check_metric(task.name, task.metric, task.positive_class)
    if task.separator == "":
        raise UsageError(f"{task.name}: separator= is empty: give the character between the labels of a cell")
    for parameter, choices in (("tag_scheme", SCHEMES), ("comments", COMMENTS)):
        if (value := getattr(task, parameter)) not in ("", *choices):
            raise UsageError(f"{task.name}: {parameter}={value}: choose {', '.join(choices)}{similar(value, choices)}")
    if task.max_length < 1:
        raise UsageError(f"{task.name}: max_length={task.max_length}: must be at least 1")
    if task.decimal not in ("", ".", ","):
        raise UsageError(f'{task.name}: decimal={task.decimal}: choose . or "," (in quotation marks)')
    if (task.delimiter != "tab" and len(task.delimiter) > 1) or task.delimiter in ('"', "\n", "\r"):
        raise UsageError(f"{task.name}: delimiter={task.delimiter}: give one character, or tab")
    for option in ("labels", "names"):
        check_names(task.name, option, getattr(task, option))
    check_map(task.name, task.map)
    check_seed(task.name, "seed", task.seed)
    check_shares(task.name, task.division.validation, task.division.test)
    if task.scheme == "squad" and task.group not in ("", "title"):
        raise UsageError(f"{task.name}: group={task.group}: squad: has the groups of group=title, its articles")
    if task.scheme == "conll" and task.group not in ("", "document"):
        raise UsageError(f"{task.name}: group={task.group}: conll: has the groups of group=document, its documents")
    if task.time and task.time == task.group:
        raise UsageError(f"{task.name}: group= and time= name the same column")
    check_effects(task)


def check_metric(name: str, metric: str, positive_class: str) -> None:
    """Refuses an unknown metric, and a positive class for a metric that does not use one.

    Raises:
        UsageError: The metric is unknown, or does not use the positive class that is given.
    """
    # Plugins are searched only for a name that is not built in: discovery imports every installed plugin.
    if metric and metric not in METRICS and metric not in (known := _all_metrics()):
        raise UsageError(f"{name}: metric={metric}: choose {', '.join(known)}{similar(metric, known)}")
    if positive_class and metric not in kinds.OF_ONE_CLASS:
        raise UsageError(f"{name}: positive_class= needs metric={', '.join(kinds.OF_ONE_CLASS)}")


def check_metric_fits(name: str, metric: str, output: Output) -> None:
    """Refuses a metric that does not score the output.

    Raises:
        DataError: It does not; the message lists the metrics that do.
    """
    if not metric:
        return
    known = METRICS if metric in METRICS else _all_metrics()
    if not known[metric].supports(output):
        fitting = [each for each, one in known.items() if one.supports(output)]
        raise DataError(f"{name}: metric={metric} does not score {type(output).__name__}: choose {', '.join(fitting)}")


def check_names(name: str, option: str, text: str) -> None:
    """Refuses a list of names in which one is empty or repeated.

    Raises:
        UsageError: A name is empty or repeated.
    """
    parts = names_in(text)
    if not all(parts) or len(set(parts)) < len(parts):
        raise UsageError(f"{name}: {option}= has an empty or repeated name")


def check_map(name: str, text: str) -> None:
    """Refuses a map of labels that is not old:new+old2:new2.

    Raises:
        UsageError: A part has another form, or a label is mapped twice.
    """
    try:
        pairs = renamed_pairs(text)
    except ValueError as error:
        raise UsageError(
            rf"{name}: map={text}: {error.args[0]!r} is not old:new; write map=old:new+old2:new2, and \+ and \: for "
            "a plus or colon in a label"
        ) from None
    if len({class_key(old) for old, _ in pairs}) < len(pairs):
        raise UsageError(f"{name}: map={text} maps one label twice")


def _all_metrics() -> Mapping[str, Metric]:
    """Returns the built-in metrics and those of plugins."""
    from tlbench.catalog.catalog import Catalog

    return Catalog.discover().metrics
