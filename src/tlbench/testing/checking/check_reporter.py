"""A pytest plugin that writes the outcome of each conformance check as a line of JSON, for `tlbench plugin check`."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from typing import Any

import pytest

from tlbench.contracts.plugins.check_variables import REPORT


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Writes a line for each check that ended, passed, failed or skipped."""
    report = yield
    subject = getattr(getattr(item, "cls", None), "subject", None)
    # A fixture that fails or skips ends the check before it is called.
    if subject is not None and (report.when == "call" or not report.passed):
        _write(
            {**_outcome(item, report), "distribution": subject.distribution, "kind": subject.kind, "name": subject.name}
        )
    return report


def _outcome(item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:
    from tlbench.testing.conformance.advice.explanation import explanation

    outcome: dict[str, Any] = {"check": item.name.removeprefix("test_"), "result": report.outcome}
    outcome |= {"seconds": round(report.duration, 3), "reason": "", "holds": "", "why": "", "mend": "", "traceback": ""}
    if report.skipped:
        # A tuple of file, line and "Skipped: reason".
        outcome["reason"] = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        outcome["reason"] = outcome["reason"].removeprefix("Skipped: ")
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        message = str(crash.message if crash else report.longrepr)
        outcome["reason"] = message.removeprefix("AssertionError: ").removeprefix("Failed: ").split("\nassert ")[0]
        outcome["traceback"] = report.longreprtext
        found = explanation(item.cls, getattr(item, "originalname", item.name))  # type: ignore[attr-defined]
        if found:
            outcome |= {"holds": found.holds, "why": found.why, "mend": found.mend}
        # Raised by the checks themselves, with a message that says what to do.
        if outcome["reason"].startswith("NotImplementedError: "):
            outcome |= {"reason": outcome["reason"].removeprefix("NotImplementedError: "), "mend": ""}
    return outcome


def _write(outcome: dict[str, Any]) -> None:
    line = json.dumps(outcome).encode() + b"\n"
    os.write(int(os.environ[REPORT]), line)
