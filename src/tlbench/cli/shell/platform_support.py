"""Which commands work on systems that can't run fits, and the message of the others."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tlbench.contracts.errors import UsageError

READING = (
    "list", "show", "plan", "leaderboard", "recommend", "compare", "merge", "submit", "status", "skill", "version",
)  # fmt: skip
"""Commands that fit nothing and lock no file."""


def check_platform(arguments: Sequence[str]) -> None:
    """Checks that a command can run on this system.

    Raises:
        UsageError: It cannot; the line names what can.
    """
    if reason := refusal(arguments):
        raise UsageError(reason)


def refusal(arguments: Sequence[str], platform: str = sys.platform) -> str:
    """Returns in one line why a command cannot run on this system; empty if it can."""
    command = next((one for one in arguments if not one.startswith("-")), "")
    if platform != "win32" or not command or command in READING or {"-h", "--help"} & {*arguments}:
        return ""
    return (
        f"{command}: not on Windows, which has no locks of files as it needs: use WSL 2, Linux or macOS;"
        f" here {', '.join(READING[:-1])} and {READING[-1]} work"
    )
