"""Applies the options `metric=` and `positive_class=` of classification tasks."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench import DataError, Task
from tlbench.catalog.names import similar
from tlbench_data.columns.output_kinds import OF_ONE_CLASS
from tlbench_data.readers.rows import listed, shown


def chosen_first(metric: str, usual: Sequence[str]) -> tuple[str, ...]:
    """Returns the usual metrics with the chosen one, if any, in front of them."""
    return (metric, *(name for name in usual if name != metric)) if metric else tuple(usual)


def positive_class(
    task: str, metric: str, given: str, names: Sequence[str], order: Sequence[str] = ()
) -> tuple[int, str]:
    """Returns the index of the positive class of f1, precision and recall, and a note that names it.

    It is the given class, or the second of two. For other metrics the index is the default and the note is "".

    Args:
        task: Name of the task, for messages.
        metric: The primary metric.
        given: The value of `positive_class=`, or "".
        names: The classes of the output.
        order: The classes in the order of the file's metadata, which then decides which is the second, or empty.

    Raises:
        DataError: The given class is not one of `names`, or none is given and there are more than two.
    """
    if metric not in OF_ONE_CLASS or not names:
        return Task.positive, ""
    if not given and len(names) > 2:
        raise DataError(
            f"{task}: {metric} is of one class, but there are {len(names)}: "
            f"set metric={metric}_macro or positive_class="
        )
    if given and given not in names:
        raise DataError(f"{task}: positive_class={given}: choose {listed(names)}{similar(given, names)}")
    name = given or (order or names)[Task.positive]
    return names.index(name), f"{metric} of {shown(name)}"
