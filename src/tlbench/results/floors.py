"""Names the floors: strategies without pretrained weights, over which the gains of other strategies are measured."""

from __future__ import annotations

from functools import lru_cache

FLOORS = ("majority", "word-majority", "commonest-map", "from-scratch", "random-probe")
"""The floors by name, since a record holds only the name of its strategy, not the strategy."""


# A table asks for every row, and has few strategies.
@lru_cache(maxsize=1024)
def is_floor(strategy: str) -> bool:
    """Returns whether a strategy's name, which may have parameters and the name of a plugin, is that of a floor."""
    return strategy.partition("[")[0].rpartition("/")[2] in FLOORS
