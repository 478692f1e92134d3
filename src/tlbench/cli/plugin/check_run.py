"""Runs the conformance checks of distributions in a process of its own, one outcome after another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from tlbench.contracts.errors import UsageError
from tlbench.contracts.plugins.check_variables import CHECKED, REPORT

_MODULE = "tlbench.testing.checking"
_NO_TESTS = 5
"""pytest's exit status where nothing was collected."""


@dataclass(frozen=True)
class Check:
    """The outcome of one check of one object."""

    distribution: str
    kind: str
    name: str
    check: str
    result: Literal["passed", "skipped", "failed"]
    seconds: float
    reason: str
    """What is wrong, or why the check was skipped; empty if it passed."""
    holds: str = ""
    """What the check guarantees; this and the following are empty unless it failed."""
    why: str = ""
    mend: str = ""
    traceback: str = ""


def run_checks(targets: Sequence[str]) -> Iterator[Check]:
    """Yields the outcome of each check of what distributions bring, as soon as it is known.

    The checks run in a process of their own: a plugin that ends it, by a crash of a library or an exit, is one check
    that failed.

    Args:
        targets: Installed distributions (or top-level packages of modules in `TLBENCH_PLUGINS`), each followed by a
            slash and the name of an object where only this one is meant.

    Raises:
        UsageError: pytest is not installed.
    """
    if find_spec("pytest") is None:
        raise UsageError("`tlbench plugin check` runs its checks with pytest: pip install 'tlbench[plugin]'")
    read, write = os.pipe()
    with tempfile.TemporaryDirectory(prefix="tlbench-check-") as folder, open(read, "rb", buffering=0) as outcomes:
        output = Path(folder) / "output"
        with output.open("wb") as file:
            process = _started(targets, folder, write, file)
        os.close(write)
        try:
            last = None
            for line in _lines(outcomes):
                last = Check(**line)
                yield last
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        # 0 and 1: every check was reported. Anything else ended pytest before.
        if status not in {0, 1, _NO_TESTS}:
            printed = output.read_text(encoding="utf-8", errors="replace")
            where = f"after {last.kind} {last.name}: {last.check}" if last else "before the first check"
            reason = f"the process of the checks ended with status {status} {where}"
            yield Check(targets[0], "plugin", "all", "process", "failed", 0.0, reason, traceback=printed[-20_000:])


def _started(targets: Sequence[str], folder: str, write: int, output: Any) -> subprocess.Popen[bytes]:
    environment: Mapping[str, str] = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        CHECKED: ",".join(targets),
        REPORT: str(write),
        # Modules of `TLBENCH_PLUGINS` may be found by this process alone.
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", f"{_MODULE}.check_reporter", "-p", "no:cacheprovider"]
    # In an empty folder and without the user's settings, so that the outcome is the same everywhere.
    command += ["-c", os.devnull, "--rootdir", folder, "--basetemp", f"{folder}/temporary"]
    command += ["--pyargs", f"{_MODULE}.installed_checks"]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        pass_fds=(write,),
    )  # fmt: skip


def _lines(outcomes: Any) -> Iterator[dict[str, Any]]:
    rest = b""
    while chunk := outcomes.read(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield json.loads(line)
