"""Checks the options by which splits are drawn: seeds and shares."""

from __future__ import annotations

import re
from pathlib import Path

from tlbench import UsageError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?%?", re.IGNORECASE)


def check_seed(task: str, parameter: str, seed: int) -> None:
    """Refuses a negative seed when a task is created.

    Raises:
        UsageError: The seed is below 0.
    """
    if seed < 0:
        raise UsageError(f"{task}: {parameter}={seed}: a seed must be at least 0")


def share_of(task: str, parameter: str, text: str, *, only: bool = False) -> float | None:
    """Returns the share of the rows that a parameter such as validation=0.1 gives; None if it names a file instead.

    Args:
        task: The task's name, for messages.
        parameter: The parameter's name.
        text: The parameter's value.
        only: Whether the value must be a share, not a file.

    Raises:
        UsageError: The value is a number outside (0, 1), or `only` is true and it is no number.
    """
    is_number = _NUMBER.fullmatch(text) is not None
    if not is_number and not only:
        return None
    share = float(text) if is_number and not text.endswith("%") else None
    if share is None or not 0 < share < 1:
        raise UsageError(
            f"{task}: {parameter}={text}: a share of the rows must lie between 0 and 1, as in {parameter}=0.1"
        )
    return share


def check_no_file(task: str, parameter: str, text: str, folder: Path) -> None:
    """Refuses a share such as "0.1" if there is also a file of that name.

    Raises:
        UsageError: There is such a file in the folder.
    """
    if (folder / text).exists():
        raise UsageError(
            f"{task}: {parameter}={text} is a share of the rows, and a file is called {text} too: write "
            f"{parameter}=./{text} for the file, or rename it"
        )


def check_shares(task: str, validation: float | None, test: float | None) -> None:
    """Refuses shares of validation and test that leave no rows to train on.

    Raises:
        UsageError: They sum to 1 or more.
    """
    if validation and test and validation + test >= 1:
        raise UsageError(f"{task}: validation={validation:g} and test={test:g} leave no rows to train on")
