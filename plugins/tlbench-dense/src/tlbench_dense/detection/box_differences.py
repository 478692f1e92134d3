"""Compares the predicted boxes of an image with those of another computation."""

from __future__ import annotations

import numpy as np

PIXELS = 0.02
"""Texts round corners to 0.01 pixels, so that those of one box may differ by 0.01, and its own rounding."""
SCORE = 1e-5


def unmatched(one: np.ndarray, other: np.ndarray) -> int:
    """Returns how many boxes (n, 6) and (m, 6) of either have no counterpart: same class, corners and score."""
    if not len(one) or not len(other):
        return len(one) + len(other)
    near = np.abs(one[:, None, 1:5] - other[None, :, 1:5]).max(2) <= PIXELS + 1e-9
    near &= np.abs(one[:, None, 5] - other[None, :, 5]) <= SCORE + 1e-6
    near &= one[:, None, 0] == other[None, :, 0]
    return int((~near.any(1)).sum() + (~near.any(0)).sum())
