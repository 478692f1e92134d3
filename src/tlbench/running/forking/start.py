"""What workers are started with, and the interpreter that they are started in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class StartError(Exception):
    """No worker could be started; the log says why."""


class ImportsFailedError(StartError):
    """A worker's own modules end the process that imports them, or never come to an end."""


@dataclass(frozen=True)
class Start:
    """What workers are started with."""

    target: str
    """`module:function`, from `bytes` to `bytes`; a worker calls it for each request."""
    log: Path
    """Gets what the server and the workers print, from C as well; lines are appended."""
    preload: tuple[str, ...] = ()
    """Modules that are imported before there are workers; what cannot be imported is logged and left out."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Set before the interpreter starts, which is when threads and allocators read theirs."""


def started_interpreter(start: Start, told: dict[str, Any], **how: Any) -> subprocess.Popen[bytes]:
    """Returns a fresh interpreter that becomes what it is told to, without the working directory in its sys.path."""
    environment = {**os.environ, **start.environment, **how.pop("environment", {}), "PYTHONSAFEPATH": "1"}
    if "PYTHONPATH" in environment:
        # An empty entry, such as a variable that was not set leaves behind, would name the working directory.
        named = [entry for entry in environment["PYTHONPATH"].split(os.pathsep) if entry]
        environment["PYTHONPATH"] = os.pathsep.join(named)
    if sys.platform != "win32":
        # What a terminal sends to the driver's group is the driver's.
        how["process_group"] = 0
    path = [entry for entry in sys.path if isinstance(entry, str) and entry]
    script = str(Path(__file__).with_name("boot.py"))
    with open(start.log, "ab") as log:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [sys.executable, "-P", script, json.dumps({**told, "path": path})],
            stdout=log,
            stderr=log,
            env=environment,
            **how,
        )
    return process
