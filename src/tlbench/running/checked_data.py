"""Remembers on disk which tasks' data were checked, so that later runs need not show the same findings again."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from tlbench.catalog.catalog import Found
from tlbench.contracts.task import Task
from tlbench.modeling.disk import cache_settings

_VERSION = 1
"""Increase it when new checks should be shown for data that were checked before."""


def is_checked(task: Found[Task]) -> bool:
    """Returns whether the task's data was checked before on this machine."""
    with suppress(OSError):
        return _file(task).exists()
    return False


def remember_checked(task: Found[Task]) -> None:
    """Stores that the task's data was checked; does nothing where that is not possible."""
    file = _file(task)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def _file(task: Found[Task]) -> Path:
    # The data itself is not read, since that may take longer than the run. The names of own files end with a digest of
    # their content; data of other tasks depend on their version, their plugin's version and the folders of data files.
    key = [_VERSION, task.ref.name, task.ref.version, task.distribution, task.version, os.environ.get("TLBENCH_DATA")]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    return cache_settings.folder() / "checked-data" / digest
