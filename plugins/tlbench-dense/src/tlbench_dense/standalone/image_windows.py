"""Windows: overlapping squares that an image is cut into."""

from __future__ import annotations

import math
from typing import TypeAlias

Window: TypeAlias = tuple[int, int, int, int]
OVERLAP = 1 / 3
"""Smallest share of a window's side that it has in common with the next."""


def windows(width: int, height: int, side: int) -> list[Window]:
    """Returns the windows (left, top, right, bottom) of an image, which cover it; one, the whole image, if `side` is 0.

    The first begins at an edge and the last ends at the other, so all have the same side, or that of a smaller image.
    """
    if not side:
        return [(0, 0, width, height)]
    return [
        (left, top, left + min(side, width), top + min(side, height))
        for top in _starts(height, side)
        for left in _starts(width, side)
    ]


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    steps = math.ceil((length - side) / (side * (1 - OVERLAP)))
    return [round(step * (length - side) / steps) for step in range(steps + 1)]
