"""The reference of exit statuses."""

from __future__ import annotations

import re


def statuses() -> dict[str, str]:
    """Returns the meaning of each exit status, as the help of `tlbench` says it."""
    from tlbench.cli.app import EXIT_STATUS

    text = EXIT_STATUS.removeprefix("Exit status: ").rstrip(".")
    # Statuses of signals stand in one part: "130 Ctrl-C, 143 SIGTERM, 129 SIGHUP: what is finished is kept".
    found = {}
    for part in text.split("; "):
        names, colon, common = part.partition(": ")
        several = re.findall(r"(\d+) ([^,]+)", names)
        if colon and len(several) > 1:
            found |= {number: f"{name}: {common}" for number, name in several}
        else:
            number, _, meaning = part.partition(" ")
            found[number] = meaning
    return found


def exit_page() -> str:
    """Returns the page."""
    lines = ["# Exit status", "", "The number that a command ends with, for scripts and continuous integration.", ""]
    lines += ["| status | meaning |", "| ---: | --- |"]
    return "\n".join([*lines, *(f"| {number} | {meaning} |" for number, meaning in statuses().items())])
