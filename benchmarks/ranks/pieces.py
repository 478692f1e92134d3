"""The settings that are simulated, in pieces whose settings share their draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from benchmarks.ranks.tables import HIGH_ACCURACY, Setting

_METRICS = ("accuracy", "f1", "pearson")
_STRATEGIES, _EXAMPLES, _SEEDS, _SPREADS = (2, 5, 8), (200, 500, 2000), (3, 5, 10), (1, 2, 4)
PLANTED = 2.0
_MANY, _FEW = 10_000, 2_000
"""Numbers of draws: for two equal strategies, where one draw takes less than 5 ms, and for all other settings."""


@dataclass(frozen=True)
class Piece:
    """Settings that differ only in their numbers of strategies and seeds: the smaller ones use parts of each table."""

    largest: Setting
    """The setting whose tables are drawn."""
    strategies: tuple[int, ...]
    """Numbers of strategies; only the largest with unequal spreads, since a part of the table has other spreads."""
    draws: int
    """Number of tables."""
    seeds: tuple[int, ...] = _SEEDS
    """Numbers of seeds."""

    def settings(self) -> Iterator[Setting]:
        """Returns all settings of the piece."""
        for strategies, seeds in product(self.strategies, self.seeds):
            yield replace(self.largest, strategies=strategies, seeds=seeds)

    def shortened(self, share: float) -> Piece:
        """Returns the piece with this share of its draws."""
        return replace(self, draws=max(1, math.ceil(share * self.draws)))


def all_pieces() -> list[Piece]:
    """Returns every piece, the longest first, so that no process is left with a long one at the end."""
    pieces = []
    for metric, examples, spread, planted in product(_METRICS, _EXAMPLES, _SPREADS, (0.0, PLANTED)):
        pieces += _of(Setting(metric, 0, examples, max(_SEEDS), spread, planted))
    # Not in the grid: nearly perfect strategies, and tables in which some strategies vary 20 times as much as others.
    for examples, planted in product((200, 2000), (0.0, PLANTED)):
        pieces += _of(Setting("accuracy", 0, examples, max(_SEEDS), 1, planted, base=HIGH_ACCURACY))
    for strategies, planted in product(_STRATEGIES, (0.0, PLANTED)):
        unequal = Setting("accuracy", strategies, 500, max(_SEEDS), 4, planted, steady="half")
        # With two strategies, "half" and "all but one" are the same setting.
        for one in [unequal] if strategies == 2 else [unequal, replace(unequal, steady="all but one")]:
            pieces.append(Piece(one, (strategies,), _draws(one)))
    return sorted(pieces, key=lambda one: -one.draws * one.largest.strategies * (one.largest.examples + 500))


def _of(setting: Setting) -> list[Piece]:
    if setting.planted:
        largest = replace(setting, strategies=max(_STRATEGIES))
        return [Piece(largest, _STRATEGIES, _FEW)]
    two, more = replace(setting, strategies=2), replace(setting, strategies=max(_STRATEGIES))
    return [Piece(two, (2,), _draws(two)), Piece(more, _STRATEGIES[1:], _draws(more))]


def _draws(setting: Setting) -> int:
    return _MANY if setting.strategies == 2 and not setting.planted else _FEW
