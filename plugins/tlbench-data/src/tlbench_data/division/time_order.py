"""Splits in the order of time: the earliest rows train, later ones validate, the latest test."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate, groupby
from typing import Any, TypeAlias

from tlbench_data.columns.label_values import number_of

Time: TypeAlias = float | datetime
_MONTH = re.compile(r"\d{4}-\d{2}")


def time_of(value: Any) -> Time | None:
    """Returns a number, or an ISO date or time, given as such or as text; None for any other value."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    number = number_of(value)
    if number is not None or not isinstance(value, str):
        return number
    text = value.strip()
    try:
        return datetime.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
    except ValueError:
        return None


def kind_of(time: Time | None) -> str:
    """Returns the kind of a time; only times of one kind can be compared."""
    if isinstance(time, datetime):
        return "date and time of a zone" if time.tzinfo else "date"
    return "number"


def in_time_order(times: Sequence[Time], shares: Mapping[str, float]) -> dict[str, list[int]]:
    """Returns the sorted row positions of each split; rows of equal times are in one split.

    Args:
        times: The time of each row, all of one kind.
        shares: Share of each split in the order of time, summing to 1. A split ends where it comes closest to its share
            without being empty.

    Raises:
        ValueError: There are fewer different times than splits.
    """
    order = sorted(range(len(times)), key=lambda row: times[row])
    blocks = [list(rows) for _, rows in groupby(order, key=lambda row: times[row])]
    if len(blocks) < len(shares):
        raise ValueError(f"{len(blocks)} different times for {len(shares)} splits")
    ends = list(accumulate(len(block) for block in blocks))
    parts: dict[str, list[int]] = {}
    begin, wanted = 0, 0.0
    for number, (name, share) in enumerate(shares.items(), 1):
        wanted += share * len(times)
        # Leaves at least one block of equal times for each later split.
        candidates = range(begin + 1, len(blocks) - (len(shares) - number) + 1)
        end = len(blocks) if number == len(shares) else min(candidates, key=lambda at: abs(ends[at - 1] - wanted))
        parts[name] = sorted(row for block in blocks[begin:end] for row in block)
        begin = end
    return parts


def shown_time(time: Time) -> str:
    """Returns a time for a message: a number, or an ISO date, with the time of day if there is one."""
    if not isinstance(time, datetime):
        return f"{time:.15g}"
    time = time.astimezone(UTC) if time.tzinfo else time
    is_date = not (time.hour or time.minute or time.second or time.microsecond)
    return time.date().isoformat() if is_date else time.isoformat(sep=" ")
