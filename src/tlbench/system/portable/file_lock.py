"""Locks of open files, which the kernel releases when a process ends, however it ends."""

from __future__ import annotations

from tlbench.contracts.errors import UsageError

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]


def lock_now(handle: int) -> None:
    """Locks an open file for this process, without waiting.

    Raises:
        BlockingIOError: Another process has the lock.
        UsageError: The system has no such locks.
    """
    if fcntl is None:
        raise UsageError("this system has no locks of files (flock), which runs need: use Linux, macOS or WSL 2")
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
