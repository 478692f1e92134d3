"""The names of a task's classes as words that a text model can read."""

from __future__ import annotations

import re

from tlbench import Classes, Task

SEPARATOR = "|"
"""What separates the labels of the option `labels`."""
_WORD = re.compile(r"[^\W\d_]{2,}")


def label_texts(output: Classes, labels: str) -> tuple[str, ...]:
    """Returns the text of each class: the option's, or else its name with spaces in place of underscores."""
    if labels:
        return tuple(label.strip() for label in labels.split(SEPARATOR))
    return tuple(" ".join(re.split(r"[\s_]+", name.strip())) for name in output.names)


def label_error(task: Task, labels: str) -> str | None:
    """Returns why a task's classes cannot be told by their names, or None."""
    output = task.output
    if not isinstance(output, Classes):
        return f"class names are compared with a text; {type(output).__name__} has not one class per example"
    if task.modality != "text" or task.pairs:
        return "class names are compared with one text, and the examples of this task are " + (
            "pairs" if task.pairs else f"of the kind {task.modality}"
        )
    texts = label_texts(output, labels)
    if len(texts) != len(output.names):
        return f"labels names {len(texts)} classes, and the task has {len(output.names)}: {', '.join(output.names)}"
    if len({*texts}) < len(texts):
        return f"two classes have one label: {', '.join(texts)}"
    if unread := next((text for text in texts if not _WORD.search(text)), None):
        return f"the class name {unread!r} says nothing: give words for all classes, as in labels=bad{SEPARATOR}good"
    return None
