"""Floors: strategies that use no pretrained weights, whose scores show what a task gives to whoever knows nothing."""

from __future__ import annotations

FLOORS = ("majority", "word-majority", "from-scratch", "random-probe")
"""Names of the strategies that are floors, since records hold names alone."""


def is_floor(strategy: str) -> bool:
    """Returns whether a strategy's name, which may have parameters and the name of a plugin, is that of a floor."""
    return strategy.partition("[")[0].rpartition("/")[2] in FLOORS
