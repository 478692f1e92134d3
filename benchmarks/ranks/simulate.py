"""Simulates one piece: counts how often tests find a difference, and how often intervals hold the true score."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from benchmarks.ranks.pieces import Piece
from benchmarks.ranks.rivals import RIVALS, ours
from benchmarks.ranks.tables import draw, true_score
from tlbench.metrics import METRICS
from tlbench.metrics.jackknife import jackknife_values
from tlbench.results.significance.components import components_of
from tlbench.results.significance.intervals import interval

_TESTS = {"tlbench": ours, **RIVALS}


def simulated(piece: Piece) -> dict[str, dict[str, Any]]:
    """Returns counts over the tables of a piece, by the name of each setting.

    `any`, for each test: tables in which any two strategies differ; `first`: those in which the first differs from the
    second. If all strategies are equal, every such table is an error. `covered`: tables in which the first strategy's
    interval holds its true score, and `width`, the mean of the intervals' widths.
    """
    # The seed depends on the setting alone and was fixed before the method was chosen.
    generator = np.random.default_rng(zlib.crc32(piece.largest.name.encode()))
    metric, settings = METRICS[piece.largest.metric], list(piece.settings())
    truth = true_score(piece.largest)
    counts: dict[str, dict[str, Any]] = {
        one.name: {"draws": piece.draws, "tests": {name: {"any": 0, "first": 0} for name in _TESTS}, "covered": 0}
        for one in settings
    }
    widths = dict.fromkeys(counts, 0.0)
    for _ in range(piece.draws):
        values = [
            np.stack([jackknife_values(metric, one) for one in seeds]) for seeds in draw(piece.largest, generator)
        ]
        components = {s: [components_of(table[:s]) for table in values] for s in piece.seeds}
        # The first strategy is in the tables of every number of strategies.
        intervals = {s: interval(cells[0], metric) for s, cells in components.items()}
        for setting in settings:
            one, cells = counts[setting.name], components[setting.seeds][: setting.strategies]
            tables = [table[: setting.seeds] for table in values[: setting.strategies]]
            for name, test in _TESTS.items():
                differs = test(tables, cells, generator)
                one["tests"][name]["any"] += int(differs.any())
                one["tests"][name]["first"] += int(differs[0, 1])
            low, high = intervals[setting.seeds]
            one["covered"] += int(low <= truth <= high)
            widths[setting.name] += high - low
    return {name: {**one, "width": widths[name] / piece.draws} for name, one in counts.items()}
