"""The warnings of the data check, told once before the first run on a task's data."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterable, Iterator

from tlbench.catalog.catalog import Catalog
from tlbench.contracts.errors import UsageError
from tlbench.data.checks.check_finding import Finding, counted
from tlbench.results.render.escaping import printable
from tlbench.running.checked_data import is_checked, remember_checked
from tlbench.running.task_check import TaskCheck, check_task

_EXAMPLE_LENGTH = 60
"""Maximum number of characters shown of a row's id or a class's name."""
_MOST_LENGTH = 300
"""Maximum number of characters of the line on a task's warnings."""


def first_check_texts(names: Iterable[str], catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yields the warnings on each task whose data was not checked before, and which command says more.

    The test split is not read. Data that cannot be read have no warnings: the run records the error in its cells.
    """
    for found in [catalog.task(name) for name in dict.fromkeys(names)]:
        if is_checked(found):
            continue
        try:
            check = check_task(found, catalog, "nothing")
        except UsageError:
            continue
        remember_checked(found)
        if check.warnings:
            yield _texts(check)


def warn_of_data(names: Iterable[str], catalog: Catalog) -> None:
    """Issues a Python warning for each of these texts, for callers from Python."""
    for found, more in first_check_texts(names, catalog):
        warnings.warn(f"{found} {more}", stacklevel=2)


def finding_text(finding: Finding) -> str:
    """Returns a finding in one line: its message and the first of its rows or classes, without the advice."""
    shown = [printable(example, _EXAMPLE_LENGTH) for example in finding.examples]
    more = finding.count - len(shown)
    listing = ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
    return f"{printable(finding.message)}: {listing}" if shown else printable(finding.message)


def _texts(check: TaskCheck) -> tuple[str, str]:
    found = "; ".join(finding_text(finding) for finding in check.findings if finding.severity == "warning")
    command = f"tlbench check {shlex.quote(printable(check.task))}"
    return (
        f"data of {printable(check.task)}: {printable(found, _MOST_LENGTH)}",
        f"({counted(check.warnings, 'warning')}, shown once: `{command}` says more, and what to do)",
    )
