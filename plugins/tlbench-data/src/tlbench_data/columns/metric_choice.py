"""The metrics of a task of classes whose name chooses the primary one and the positive class."""

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
    """Returns the index of the class that f1, precision and recall are of, and a note that names it.

    It is the given class, or the second of two. Other metrics have no such class, and no note.

    Args:
        task: Name of the task, for messages.
        metric: The primary metric.
        given: The class that the task's name gives, or "".
        names: The classes of the output.
        order: The classes in the file's own order, which is preferred to that of the output, if it has one.

    Raises:
        DataError: The class is not one of the task's, or must be given and is not.
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
