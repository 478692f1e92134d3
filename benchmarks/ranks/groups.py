"""Measures what groups of test examples change: standard errors of real cells, and error rates with few groups.

python -m benchmarks.ranks.groups errors FOLDER     standard errors by example and by group, of the cells in a folder
python -m benchmarks.ranks.groups simulate DRAWS    error rates and coverage of equal strategies with 7 to 90 groups
"""

from __future__ import annotations

import itertools
import math
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri

from tlbench.metrics import METRICS
from tlbench.metrics.jackknife import jackknife_values
from tlbench.metrics.scored import Scored
from tlbench.results.records.store import Store
from tlbench.results.records.stored_predictions import read_predictions
from tlbench.results.significance.all_pairs import compare_pairs
from tlbench.results.significance.components import components_of
from tlbench.results.significance.intervals import interval

_ACCURACY, _EXAMPLES = 0.8, 512


def errors(folder: Path) -> Iterator[str]:
    """Yields a line for each cell with groups: its standard errors by example and by group, averaged over seeds."""
    store = Store.open(folder)
    for record in sorted(store.records(), key=lambda one: (one.cell.task.name, one.cell.title)):
        path = store.predictions(record)
        found = read_predictions(path) if path else None
        if found is None or found.groups is None:
            continue
        metric = METRICS[record.metrics[0]]
        by_example, by_group = (
            100 * np.mean([_error(jackknife_values(metric, seed, groups)) for seed in found.scored])
            for groups in (None, found.groups)
        )
        ratio = f"{by_group / by_example:.2f}" if by_example > 0 else "-"
        backbone = record.cell.backbone.name if record.cell.backbone else "-"
        yield (
            f"{record.cell.task.name}  {backbone}  {record.cell.strategy.name}  {metric.name}  "
            f"{found.groups.max() + 1} groups  {by_example:.1f}  {by_group:.1f}  {ratio}"
        )


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


@dataclass(frozen=True)
class Setting:
    """One setting of the simulation: equal strategies, each of which errs alike on the examples of one group."""

    groups: int
    strategies: int
    seeds: int
    spread: float
    """Standard deviation of a strategy's true accuracy over seeds, in points."""
    shares: tuple[float, float, float, float]
    """Shares of the variance of an error: the group, the strategy on that group, the example, and the rest."""


SETTINGS = [
    Setting(groups, strategies, seeds, spread, shares)
    for shares in ((0.3, 0.2, 0.2, 0.3), (0.1, 0.4, 0.1, 0.4))
    for groups, (strategies, seeds, spread) in itertools.product(
        (7, 18, 36, 90), ((2, 3, 1), (5, 3, 1), (5, 5, 3), (8, 3, 1))
    )
]


def simulated(setting: Setting, draws: int) -> tuple[float, float]:
    """Returns the share of tables with any significant difference, and that of intervals that hold the true score."""
    generator = np.random.default_rng(zlib.crc32(repr(setting).encode()))
    deviation = setting.spread / 100 / 0.28  # the normal density at the accuracy of 0.8
    truth = ndtr(ndtri(_ACCURACY) / math.sqrt(1 + deviation**2))
    differ = covered = 0
    for _ in range(draws):
        cells = []
        sizes, tables = _drawn(setting, deviation, generator)
        groups, targets = np.repeat(np.arange(setting.groups), sizes), np.ones(sizes.sum(), dtype=np.int64)
        for table in tables:
            values = [jackknife_values(METRICS["accuracy"], Scored(targets, seed), groups) for seed in table]
            cells.append(components_of(np.stack(values), sizes))
        differ += bool(compare_pairs(cells).is_significant().any())
        low, high = interval(cells[0], METRICS["accuracy"])
        covered += low <= truth <= high
    return differ / draws, covered / draws


def _drawn(setting: Setting, deviation: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sizes of the groups, (G,), and whether each prediction is right, (K, S, N) of 0 and 1."""
    weights = generator.lognormal(0, 0.7, setting.groups)
    sizes = np.maximum(1, np.round(weights / weights.sum() * _EXAMPLES)).astype(int)
    groups, count, k, s = np.repeat(np.arange(setting.groups), sizes), sizes.sum(), setting.strategies, setting.seeds
    shared, own, example, rest = map(math.sqrt, setting.shares)
    noise = generator.standard_normal((1, 1, setting.groups)) * shared
    noise = (noise + generator.standard_normal((k, 1, setting.groups)) * own)[:, :, groups]
    noise = noise + generator.standard_normal((1, 1, count)) * example + generator.standard_normal((k, s, count)) * rest
    skill = ndtri(_ACCURACY) + generator.standard_normal((k, s, 1)) * deviation
    return sizes, (noise < skill).astype(np.int64)


def main() -> None:
    """Prints what the arguments ask for."""
    command, argument = sys.argv[1:]
    if command == "errors":
        print("\n".join(errors(Path(argument))))
        return
    for setting in SETTINGS:
        rate, coverage = simulated(setting, int(argument))
        print(f"{setting}: {rate:.3f} of tables differ, {coverage:.3f} of intervals hold the score", flush=True)


if __name__ == "__main__":
    main()
