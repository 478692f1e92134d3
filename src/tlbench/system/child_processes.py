"""Finds the child processes of a process. Linux only."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def children(pid: int) -> set[int]:
    """Returns the pids of a process's children, zombies included."""
    found: set[int] = set()
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            # When a thread ends, its children go to another thread of the process.
            with suppress(ProcessLookupError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found.update(map(int, file.read().split()))
    except FileNotFoundError:
        # The kernel was built without CONFIG_PROC_CHILDREN.
        return {int(other) for other in os.listdir("/proc") if other.isdigit() and _parent(other) == pid}
    return found


def _parent(pid: str) -> int | None:
    try:
        # The second field is the process name in brackets, which may contain blanks and brackets itself.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None
