"""Simulates one setting: how often equal strategies differ, planted differences are found, and intervals cover."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from benchmarks.ranks.rivals import RIVALS, ours
from benchmarks.ranks.tables import Setting, draw, true_score
from tlbench.metrics import METRICS
from tlbench.metrics.jackknife import jackknife_values
from tlbench.results.significance.components import components_of
from tlbench.results.significance.intervals import interval


def simulated(setting: Setting, draws: int, with_rivals: bool) -> dict[str, Any]:
    """Returns counts over `draws` tables of a setting.

    `any`: tables in which any two strategies differ; `first`: in which the first differs from the second; by test. Of
    equal strategies every such table is an error. `covered`: tables in which the first strategy's interval holds its
    true score, and `width`, the sum of the intervals' widths.
    """
    # The seed depends on the setting alone and was fixed before the method was chosen.
    generator = np.random.default_rng(zlib.crc32(setting.name.encode()))
    metric, truth = METRICS[setting.metric], true_score(setting)
    tests = {"tlbench": ours, **(RIVALS if with_rivals else {})}
    counts: dict[str, Any] = {name: {"any": 0, "first": 0} for name in tests}
    covered, width = 0, 0.0
    for _ in range(draws):
        values = [np.stack([jackknife_values(metric, seed) for seed in one]) for one in draw(setting, generator)]
        components = [components_of(table) for table in values]
        for name, test in tests.items():
            differs = test(values, components, generator)
            counts[name]["any"] += int(differs.any())
            counts[name]["first"] += int(differs[0, 1])
        low, high = interval(components[0], metric)
        covered += int(low <= truth <= high)
        width += high - low
    return {"draws": draws, "tests": counts, "covered": covered, "width": width / draws}
