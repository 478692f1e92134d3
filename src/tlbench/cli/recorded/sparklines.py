"""Draws a few numbers as one word of bars, as in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 40


def sparkline(values: Sequence[float]) -> str:
    """Returns a bar for each value, from the lowest of them to the highest; equal values are half as high.

    Of more than 40 values, 40 at equal distances are drawn.
    """
    if len(values) > _WIDEST:
        values = [values[round(i * (len(values) - 1) / (_WIDEST - 1))] for i in range(_WIDEST)]
    low, high = min(values, default=0.0), max(values, default=0.0)
    if high == low:
        return _BARS[len(_BARS) // 2] * len(values)
    return "".join(_BARS[round((value - low) / (high - low) * (len(_BARS) - 1))] for value in values)
