"""Reads counts such as 30M from options."""

from __future__ import annotations

import re

from tlbench.contracts.errors import UsageError

_COUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmb]?)", re.IGNORECASE)


def parse_count(text: str, source: str) -> int:
    """Returns "30M", "1.5B", "200k" or "1000" as a number.

    Args:
        text: The number with an optional k, M or B, in any case.
        source: The option that the text comes from, for the error message.

    Raises:
        UsageError: The text has another form.
    """
    match = _COUNT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{source} {text}: not a number; write it as 30M, 1.5B or 200k")
    return int(float(match[1]) * {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}[match[2].lower()])
