"""Tells how a worker was lost: out of memory, killed from outside, crashed in native code, or its device was lost."""

from __future__ import annotations

import signal

from tlbench.contracts.executor import WorkerLost
from tlbench.modeling.devices.exit_status import GROUP_LOST
from tlbench.running.forking import Died

DEVICE_LOST = 70
"""The exit status of a worker whose device is lost (EX_SOFTWARE)."""
# By name: Windows has not all of them.
_CRASHES = {-getattr(signal, name, 0) for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")} - {0}
_KILLS = {-getattr(signal, name, 0) for name in ("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT")} - {0}


def lost_worker(died: Died, verdict: str = "") -> WorkerLost:
    """Returns the loss of a worker with what is known of its cause.

    Args:
        died: The end of the process.
        verdict: Why the memory guard ended it; empty if it did not.
    """
    if verdict:
        return WorkerLost(verdict, oom=True)
    if died.oom:
        return WorkerLost(f"{died.how} by the kernel, because memory ran out", oom=True)
    if died.how.startswith("was killed by"):
        if died.status in _CRASHES:
            return WorkerLost(f"{died.how}, a crash in native code whose stack is in workers.log,")
        if died.status in _KILLS:
            return WorkerLost(f"{died.how} from outside, and not for lack of memory,")
    if died.status == DEVICE_LOST and died.how.startswith("exited"):
        return WorkerLost("lost its GPU, to an error after which a process cannot use it,")
    if has_lost_others(died):
        return WorkerLost("could no longer reach the processes of its other devices (workers.log has the error),")
    return WorkerLost(died.how)


def has_lost_others(died: Died) -> bool:
    """Returns whether a process ended because it could not reach those of the other devices of its fit."""
    return died.status == GROUP_LOST and died.how.startswith("exited")
