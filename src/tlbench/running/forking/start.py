"""The settings of a pool's workers, and the start of the interpreter in which they run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlbench.contracts.untrusted.regular_files import open_to_append


class StartError(Exception):
    """No worker could be started; the log says why."""


class ImportsFailedError(StartError):
    """Importing a worker's own modules killed the process, or took too long."""


@dataclass(frozen=True)
class Start:
    """The settings that all workers of a pool share."""

    target: str
    """`module:function`, called by a worker with each request; takes and returns bytes."""
    log: Path
    """The file to which the output of the server and of the workers is appended, including output of C code."""
    preload: tuple[str, ...] = ()
    """Modules that are imported before workers are forked; those that cannot be imported are logged and skipped."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables. They are set before the interpreter starts, because thread pools and allocators read them
    when they are loaded."""
    method: str = ""
    """How workers start, "fork" or "spawn"; empty for the way of the system."""


def started_interpreter(start: Start, message: dict[str, Any], **how: Any) -> subprocess.Popen[bytes]:
    """Starts an interpreter that runs `boot.py`, without the working directory in its sys.path.

    Args:
        start: The settings of the pool.
        message: The message to `boot.py`, which says whether the process becomes a fork server or a worker.
        how: Further arguments of `subprocess.Popen`, and `environment`, which is added to that of the settings.
    """
    environment = {**os.environ, **start.environment, **how.pop("environment", {}), "PYTHONSAFEPATH": "1"}
    if "PYTHONPATH" in environment:
        # An empty entry, as in "$UNSET:/path", would mean the working directory.
        named = [entry for entry in environment["PYTHONPATH"].split(os.pathsep) if entry]
        environment["PYTHONPATH"] = os.pathsep.join(named)
    if sys.platform != "win32":
        # In a group of its own, so that Ctrl-C in a terminal reaches only the driver, which then ends its workers.
        how["process_group"] = 0
    path = [entry for entry in sys.path if isinstance(entry, str) and entry]
    script = str(Path(__file__).with_name("boot.py"))
    with open_to_append(start.log) as log:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-P", script, json.dumps({**message, "path": path})],
            stdout=log,
            stderr=log,
            env=environment,
            **how,
        )
    return process
