"""Schedules of the learning rate."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

Schedule: TypeAlias = Literal["linear", "cosine", "constant"]
"""What follows the linear warm-up: a linear decay to 0, half a cosine to 0 (Loshchilov & Hutter 2017), or neither."""


def rate(step: int, total: int, warmup: float, schedule: Schedule = "linear") -> float:
    """Returns the factor of the learning rate at a step, counted from 0: linear warm-up to 1, then the schedule."""
    rising = max(1, round(total * warmup))
    if step < rising:
        # From `step + 1`, so that the first step is not wasted on a learning rate of 0.
        return (step + 1) / rising if warmup > 0 else 1.0
    left = max(0.0, (total - step) / max(1, total - rising + 1))
    if schedule == "cosine":
        return (1 - math.cos(math.pi * left)) / 2
    return 1.0 if schedule == "constant" else left
