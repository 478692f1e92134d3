"""Turns the tests of all pairs into ranks: a cell's rank counts the cells that are significantly better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tlbench.contracts.metric import Metric
from tlbench.results.significance.all_pairs import ALPHA, compare_pairs
from tlbench.results.significance.cell_values import components
from tlbench.results.significance.components import Components
from tlbench.results.significance.differences import score_variances
from tlbench.results.significance.intervals import FEWEST_SEEDS as FEWEST_FOR_INTERVAL
from tlbench.results.significance.intervals import interval
from tlbench.results.significance.practical import Posterior, against_best, detectable
from tlbench.results.significance.score_variance import ScoreVariance
from tlbench.results.stats import CellPredictions, joint_groups, smallest_p

FEWEST_SEEDS = 2
"""Fewest seeds that a rank needs: one fit does not show what another seed would have given."""
_MOST_CHECKED, _FEW = 64, 50


@dataclass(frozen=True)
class RankEntry:
    """An entry to rank: a score, the ends of its 95% interval, its number of seeds, and its predictions if stored."""

    value: float
    low: float
    high: float
    seeds: int = 1
    predictions: CellPredictions | None = field(default=None, compare=False)
    backbone: str = ""
    is_floor: bool = False
    """Whether this entry is a floor, over which gains of other entries are measured."""


@dataclass(frozen=True)
class Rank:
    """The rank of an entry among K entries with a rank."""

    place: int | None
    """1 + the number of entries that are significantly better; None with one seed."""
    last: int | None
    """K - the number of entries that are significantly worse: the last rank that the data allow; None with one seed."""
    is_tested: bool
    """Whether every comparison was a paired test; otherwise some checked whether intervals overlap."""
    interval: tuple[float, float] | None = None
    """The 95% interval of the strategy's expected score, over examples and seeds; None without predictions or with
    fewer than three seeds."""
    variance: ScoreVariance | None = None
    """The variance components of the score; None without predictions."""
    from_best: Posterior | None = None
    """The difference from the entry with the best score; None for that entry, and if the two were not tested."""
    detectable: float | None = None
    """The smallest difference that the tests find with a power of 80%; None if the best entry was not tested, or if
    there are too few examples (or groups of examples) for any difference to be significant."""


def ranks(metric: Metric, entries: Sequence[RankEntry], alpha: float = ALPHA) -> list[Rank]:
    """Returns the rank of each entry of one task, in order.

    Entries with predictions for the same examples are tested in pairs, all at once (`all_pairs.py`). Others differ if
    their intervals do not overlap. A rank counts the entries that are significantly better, so an entry ranks first if
    there are none; ties of A with B and of B with C do not make A and C tie.

    Raises:
        ValueError, Diverged, PluginError: As `score`.
    """
    entries = _with_joint_groups(entries)
    ranked = [i for i, entry in enumerate(entries) if entry.seeds >= FEWEST_SEEDS]
    sign = 1 if metric.greater_is_better else -1
    cells = {
        i: components(metric, one.scored, one.groups)
        for i, entry in enumerate(entries)
        if (one := entry.predictions) is not None and one.independent.max() > 0
    }
    kept = _variances(entries, cells)
    intervals = {i: interval(cell, metric) for i, cell in cells.items() if cell.seeds >= FEWEST_FOR_INTERVAL}
    known = [entries[i] for i in ranked]
    for place, i in enumerate(ranked):
        if i in intervals:
            known[place] = replace(entries[i], low=intervals[i][0], high=intervals[i][1])
    low, high = (np.array([getattr(one, name) for one in known], dtype=np.float64) for name in ("low", "high"))
    low, high = (low, high) if sign > 0 else (-high, -low)
    # Two sorted lists count the intervals that lie wholly above or below each, without looking at every pair.
    better = len(ranked) - np.searchsorted(np.sort(low), high, side="right")
    worse = np.searchsorted(np.sort(high), low, side="left")
    tested = np.zeros(len(ranked), dtype=bool)
    best = max(range(len(ranked)), key=lambda place: sign * known[place].value, default=None)
    from_best: dict[int, Posterior | None] = {}
    smallest: dict[int, float | None] = {}
    for family in _families([entries[i].predictions if i in cells else None for i in ranked]):
        if len(family) < 2:
            continue
        tests = compare_pairs([cells[ranked[place]] for place in family])
        differs = _plausible(metric, [known[place].predictions for place in family], tests.is_significant(alpha), alpha)
        # In the family, tests take the place of intervals.
        is_better = differs & (sign * tests.differences > 0)
        is_above = low[family][:, None] > high[family][None, :]
        better[family] += is_better.sum(axis=0) - is_above.sum(axis=0)
        worse[family] += is_better.sum(axis=1) - is_above.sum(axis=1)
        tested[family] = len(family) == len(ranked)
        if best in family:
            from_best = dict(
                zip(family, against_best([cells[ranked[i]] for i in family], family.index(best)), strict=True)
            )
            is_testable = _is_testable(known[family[0]].predictions, alpha)
            smallest = dict.fromkeys(family, detectable(tests, alpha) if is_testable else None)
    results = [Rank(None, None, False, variance=kept.get(i)) for i in range(len(entries))]
    for place, i in enumerate(ranked):
        last = len(ranked) - int(worse[place])
        is_tested = bool(tested[place] or len(ranked) == 1)
        results[i] = Rank(
            1 + int(better[place]),
            last,
            is_tested,
            intervals.get(i),
            kept.get(i),
            from_best.get(place),
            smallest.get(place),
        )
    return results


def _variances(entries: Sequence[RankEntry], cells: Mapping[int, Components]) -> dict[int, ScoreVariance]:
    kept: dict[int, ScoreVariance] = {}
    families = _families([entry.predictions if i in cells else None for i, entry in enumerate(entries)])
    for number, family in enumerate(families):
        floors, backbones = [entries[i].is_floor for i in family], [entries[i].backbone for i in family]
        variances = score_variances([cells[i] for i in family], floors, backbones, number)
        kept.update(zip(family, variances, strict=True))
    return kept


def _plausible(
    metric: Metric, family: Sequence[CellPredictions | None], differs: NDArray[np.bool_], alpha: float
) -> NDArray[np.bool_]:
    """Returns `differs` without pairs of cells whose predictions differ on too few examples for any significance."""
    # With so many cells, any significant difference is on enough examples, unless there are few examples or groups.
    if len(family) > _MOST_CHECKED and any(one is not None and _independent(one) > _FEW for one in family):
        return differs
    for i, j in np.argwhere(np.triu(differs)):
        a, b = family[i], family[j]
        if a is not None and b is not None and smallest_p(metric, a, b) > alpha:
            differs[i, j] = differs[j, i] = False
    return differs


def _independent(predictions: CellPredictions) -> int:
    """Returns the number of test examples, or of groups of them."""
    return int(predictions.independent.max()) + 1


def _is_testable(predictions: CellPredictions | None, alpha: float) -> bool:
    """Returns whether a difference could be significant if it were on all examples; see `smallest_p`."""
    return predictions is not None and 2.0 ** (1 - min(1000, _independent(predictions))) <= alpha


def _with_joint_groups(entries: Sequence[RankEntry]) -> Sequence[RankEntry]:
    """Returns the entries; predictions for the same examples get joint groups, as `joint_groups` describes."""
    if all(entry.predictions is None or entry.predictions.groups is None for entry in entries):
        return entries
    changed = list(entries)
    for family in _families([entry.predictions for entry in entries]):
        joint = joint_groups([one for place in family if (one := entries[place].predictions) is not None])
        for place, predictions in zip(family, joint, strict=True):
            changed[place] = replace(entries[place], predictions=predictions)
    return changed


def _families(predictions: Sequence[CellPredictions | None]) -> list[list[int]]:
    """Returns lists of positions; the predictions at the positions of a list are for the same examples."""
    families: list[list[int]] = []
    for i, one in enumerate(predictions):
        if one is None:
            continue
        for family in families:
            if one.same_examples(predictions[family[0]]):  # type: ignore[arg-type]  # families hold predictions
                family.append(i)
                break
        else:
            families.append([i])
    return families
