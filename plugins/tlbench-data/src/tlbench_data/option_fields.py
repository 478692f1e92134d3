"""Options of tasks as fields of their dataclasses, with the help that `tlbench show` lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any


def option(default: Any, text: str, sources: Sequence[str] = ()) -> Any:
    """Returns a field of a task's dataclass that `tlbench show` lists with its help.

    Args:
        default: Value if the task's name does not set the option.
        text: One line of help.
        sources: The schemes that the option has an effect for; all if empty.
    """
    schemes = frozenset(sources)
    return field(
        default=default, metadata={"help": text, "applies": lambda task: not schemes or task.scheme in schemes}
    )
