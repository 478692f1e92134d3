"""The warnings of the data check, printed once before the first run on a task's data."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable

from tlbench.catalog.catalog import Catalog, Found
from tlbench.cli.checking.check import finding_text
from tlbench.cli.shell.verbosity import is_quiet
from tlbench.contracts.errors import UsageError
from tlbench.contracts.task import Task
from tlbench.data.checks.finding import counted
from tlbench.results.render.escaping import printable
from tlbench.running.checked_before import is_checked, remember_checked
from tlbench.running.task_check import TaskCheck, check_task

_MOST_LENGTH = 300
"""Maximum number of characters of the line on a task's warnings."""


def print_first_checks(names: Iterable[str], catalog: Catalog) -> None:
    """Prints the warnings on tasks whose data was not checked before, at most two lines for each, to stderr.

    The test split is not read. For data that cannot be read nothing is printed: the run records the error in its cells.
    """
    # With -q, nothing is checked, so the next run without -q prints the warnings.
    for found in () if is_quiet() else _found(names, catalog):
        if is_checked(found):
            continue
        try:
            check = check_task(found, catalog, "nothing")
        except UsageError:
            continue
        remember_checked(found)
        if check.warnings:
            print("\n".join(_lines(check)), file=sys.stderr)


def _found(names: Iterable[str], catalog: Catalog) -> list[Found[Task]]:
    return [catalog.task(name) for name in dict.fromkeys(names)]


def _lines(check: TaskCheck) -> list[str]:
    warnings = "; ".join(finding_text(finding) for finding in check.findings if finding.severity == "warning")
    command = f"tlbench check {shlex.quote(printable(check.task))}"
    return [
        f"data of {printable(check.task)}: {printable(warnings, _MOST_LENGTH)}",
        f"  ({counted(check.warnings, 'warning')}, shown once: `{command}` says more, and what to do)",
    ]
