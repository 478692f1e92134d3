"""`tlbench check`: what is odd about the data of a task, before anything is trained on it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from tlbench.api.first_checks import finding_text
from tlbench.catalog.catalog import Catalog, Found
from tlbench.cli.fetching.fetch import names_in_suite
from tlbench.contracts.errors import UsageError
from tlbench.contracts.task import Task
from tlbench.data.checks.check_finding import counted
from tlbench.planning.suite import read_suite
from tlbench.results.render.escaping import printable
from tlbench.running.task_check import TaskCheck, TestUse, check_task


def print_checks(
    catalog: Catalog,
    tasks: Sequence[str],
    suite: str | None,
    backbones: Sequence[str],
    *,
    test: TestUse,
    as_json: bool,
) -> int:
    """Prints the findings of tasks, and returns the number of warnings.

    Tasks of a suite whose data is not on this machine are named on stderr and left out.

    Raises:
        UsageError: There is nothing to check, a name is unknown, or data cannot be read.
    """
    checks = []
    for found in _tasks(catalog, tasks, suite):
        check = check_task(found, catalog, test, [catalog.backbone(name) for name in backbones])
        checks.append(check)
        if not as_json:
            print("\n".join(_lines(check, test)), flush=True)
    if as_json:
        # In ASCII, so that nothing in a row's id can act on a terminal.
        print(json.dumps([_as_json(check, test) for check in checks], indent=2))
    return sum(check.warnings for check in checks)


def _tasks(catalog: Catalog, names: Sequence[str], suite: str | None) -> list[Found[Task]]:
    if not names and not suite:
        raise UsageError("nothing to check: name a task, such as csv:reviews.csv, or give --suite NAME")
    named = [catalog.task(name) for name in names]
    for found in named:
        if reason := found.item.missing():
            raise UsageError(f"{found.ref.name}: {reason}")
    if suite:
        in_suite = [catalog.task(name) for name in names_in_suite(read_suite(catalog.suite(suite)), catalog)[1]]
        for found in in_suite:
            if reason := found.item.missing():
                print(f"not checked: {printable(found.ref.name)}: {printable(reason)}", file=sys.stderr)
            else:
                named.append(found)
    # By canonical name, since an argument and a suite may write one name in two ways.
    return list({found.ref.name: found for found in named}.values())


def _lines(check: TaskCheck, test: TestUse) -> list[str]:
    sizes = ", ".join(f"{size:,} {split}" for split, size in check.sizes.items())
    lines = [f"{printable(check.task)}: {sizes}"]
    for finding in check.findings:
        lines.append(f"  {finding.severity}: {finding_text(finding)}")
        if finding.advice:
            lines.append(f"    {printable(finding.advice)}")
    notes = len(check.findings) - check.warnings
    lines.append(f"  {counted(check.warnings, 'warning')}, {counted(notes, 'note')}; {_TEST_USE[test]}")
    return lines


_TEST_USE: dict[TestUse, str] = {
    "nothing": "the test split was not read",
    "inputs": "of the test split only the inputs were read: --test-labels checks its labels too",
    "labels": "the labels of the test split were read too",
}


def _as_json(check: TaskCheck, test: TestUse) -> dict[str, Any]:
    return {
        "task": check.task,
        "rows": check.sizes,
        "test": test,
        "findings": [
            {
                "kind": finding.kind,
                "severity": finding.severity,
                "message": finding.message,
                "count": finding.count,
                "examples": list(finding.examples),
                "advice": finding.advice,
            }
            for finding in check.findings
        ],
    }
