"""Rungs: which lengths of fits the trials of a search have under the pruners `halving-rungs` and `hyperband-rungs`.

- Successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943): all trials are fitted to a small share of a whole
  fit; the best third of them to three times that, and so on, until a last few are fitted whole.
- Hyperband (Li et al. 2018, arXiv:1603.06560, algorithm 1): several brackets of successive halving, from one with many
  trials and the shortest fits to one whose few trials are all fitted whole.

A share is written as its denominator, a *part*: 9 stops a fit after a ninth of its steps, and None lets it end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tlbench.contracts.cell import Pruner
from tlbench.contracts.executor import RUNG_PARTS

ETA = 3
"""The reduction factor: one in three trials goes on beyond a rung."""
MOST_RUNGS = len(RUNG_PARTS)
"""Number of rungs below a whole fit in the bracket with the most. There is none below 1/27 of a fit, because such early
scores say little and few fits report them."""


def rung_sizes(trials: int, rungs: int) -> list[int]:
    """Returns how many trials of a bracket are fitted at each rung and, as the last number, to the end."""
    return [max(min(trials, 1), trials // ETA**rung) for rung in range(rungs + 1)]


def bracket_sizes(rungs: int) -> dict[int, int]:
    """Returns the number of trials of each bracket of Hyperband, by its number of rungs."""
    # n = ceil((s_max + 1) * eta^s / (s + 1)), in whole numbers.
    return {s: -(-(rungs + 1) * ETA**s // (s + 1)) for s in range(rungs, -1, -1)}


def bracket_schedule(rungs: int) -> tuple[int, ...]:
    """Returns the brackets of one period of trials, each given by its number of rungs.

    A period has as many trials of each bracket as in the paper, spread evenly.
    """
    sizes = bracket_sizes(rungs)
    period = sum(sizes.values())
    assigned = dict.fromkeys(sizes, 0)
    order = []
    for number in range(period):
        # The bracket that is furthest behind its share comes next.
        chosen = max(sizes, key=lambda s: sizes[s] * (number + 1) / period - assigned[s])
        assigned[chosen] += 1
        order.append(chosen)
    return tuple(order)


@dataclass(frozen=True)
class Brackets:
    """The brackets of a search; that of a trial depends on its number alone."""

    order: tuple[int, ...]
    """The brackets of one period of trials, each given by its number of rungs."""

    def of(self, number: int) -> int:
        """Returns a trial's bracket, given by its number of rungs."""
        return self.order[number % len(self.order)]

    @property
    def all(self) -> tuple[int, ...]:
        """The brackets, that with the most rungs first."""
        return tuple(sorted(Counter(self.order), reverse=True))

    def first_part(self, number: int) -> int | None:
        """Returns the part of the first fit of a trial."""
        return parts(self.of(number))[0]


def parts(rungs: int) -> tuple[int | None, ...]:
    """Returns the parts of a bracket's fits, the shortest first; the last fit is whole."""
    return (*(ETA**power for power in range(rungs, 0, -1)), None)


def brackets_of(pruner: Pruner, settings: int, max_steps: int | None) -> Brackets | None:
    """Returns the brackets of a search, or None without a pruner by rungs.

    There are as many rungs as leave a trial for the last one, and a step for the first one.

    Args:
        pruner: The pruner of the protocol.
        settings: How many settings the search tries at most.
        max_steps: The length of a whole fit in steps; None if only the strategy knows it.
    """
    lengths = [rungs for rungs in range(MOST_RUNGS + 1) if max_steps is None or ETA**rungs <= max_steps]
    if pruner == "halving-rungs":
        return Brackets((max(rungs for rungs in lengths if ETA**rungs <= max(1, settings)),))
    if pruner == "hyperband-rungs":
        fitting = (rungs for rungs in lengths if sum(bracket_sizes(rungs).values()) <= settings)
        return Brackets(bracket_schedule(max(fitting, default=0)))
    return None
