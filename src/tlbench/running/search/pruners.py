"""When a fit is stopped early: thresholds on its scores, from those of the trials before it.

The driver computes them when it orders a fit and the fit compares itself, so that nothing has to be sent between them
while it runs. Scores are such that greater is better. In all rules a trial counts with its best score so far.

- `median` (the rule of Golovin et al. 2017, Google Vizier, doi:10.1145/3097983.3098043, with the best score so far of
  the others too, where theirs has the average): a trial stops at a step where it is below the median of those trials
  that ran to their end, once there are five.
- `halving` (asynchronous successive halving, Li et al. 2020, arXiv:1810.05934): rungs at 1/27, 1/9 and 1/3 of a fit; a
  trial stops at a rung where it is not in the top third of all that came there, itself among them.
- `hyperband` (Li et al. 2018, arXiv:1603.06560): four brackets, from one with all three rungs to one with none, so that
  trials that begin slowly have a chance; trial n's bracket depends on n alone, and it is compared within its bracket.

A fit that is stopped here isn't gone on with later, as in the papers: a trial that has once fallen behind is lost.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Protocol

from tlbench.contracts.cell import Pruner
from tlbench.running.search.told_trials import Curve, Told

ETA = 3
"""One in so many goes on beyond a rung."""
RUNGS = 3
"""Rungs of the bracket that has most of them; below 1/27 of a fit a score tells little, and few fits report there."""
STARTUP = 5
"""Trials that run to their end before a median is taken."""


def falls_short(stop_below: Mapping[int, float], step: int, best: float) -> bool:
    """Says whether a fit with this best score so far is to stop at this step.

    The threshold that counts is that of the last step that is not after this one.
    """
    passed = max((known for known in stop_below if known <= step), default=None)
    return passed is not None and best < stop_below[passed]


class Rule(Protocol):
    """One way to stop fits early; trials are added in order of number."""

    def add(self, number: int, end: Told) -> None:
        """Notes how a trial ended."""

    def thresholds(self, number: int) -> dict[int, float]:
        """Returns step to the score below which a trial is stopped there, from the trials that were added so far."""


def rule(name: Pruner, max_steps: int | None) -> Rule | None:
    """Returns the rule of that name, None for "none"; `max_steps` is a whole fit, or None to learn it from trials."""
    if name == "median":
        return _Median()
    if name == "halving":
        return _Halving(max_steps, (RUNGS,))
    return _Halving(max_steps, BRACKETS) if name == "hyperband" else None


class _Scores:
    """The best scores so far of several trials, by step."""

    def __init__(self) -> None:
        self._curves: list[Curve] = []
        self._at: dict[int, list[float]] = {}

    def __len__(self) -> int:
        return len(self._curves)

    def add(self, curve: Curve) -> None:
        self._curves.append(curve)
        for step, scores in self._at.items():
            _put(scores, curve, step)

    def at(self, step: int) -> list[float]:
        """Returns the scores, from low to high, of the trials that reported at this step or after it."""
        if step not in self._at:
            self._at[step] = []
            for curve in self._curves:
                _put(self._at[step], curve, step)
        return self._at[step]


def _put(scores: list[float], curve: Curve, step: int) -> None:
    best = -math.inf
    for known, score in curve:
        best = max(best, score)
        # Compared where a fit reports for the first time from this step on: so does the fit itself.
        if known >= step:
            insort(scores, best)
            return


class _Median:
    def __init__(self) -> None:
        self._scores = _Scores()
        self._steps: set[int] = set()

    def add(self, number: int, end: Told) -> None:
        if end.state == "complete":
            self._scores.add(end.curve)
            self._steps.update(step for step, _ in end.curve)

    def thresholds(self, number: int) -> dict[int, float]:
        if len(self._scores) < STARTUP:
            return {}
        return {step: median(self._scores.at(step)) for step in sorted(self._steps)}


class _Halving:
    """Rungs; each bracket of trials has so many of them as `brackets` says, in turn."""

    def __init__(self, max_steps: int | None, brackets: tuple[int, ...]) -> None:
        self._whole, self._learns, self._brackets = max_steps or 0, max_steps is None, brackets
        self._scores = {rungs: _Scores() for rungs in brackets}

    def add(self, number: int, end: Told) -> None:
        if end.state == "failed" or not end.curve:
            return
        if self._learns:
            self._whole = max(self._whole, end.curve[-1][0])
        self._of(number).add(end.curve)

    def thresholds(self, number: int) -> dict[int, float]:
        found = {}
        for rung in _rungs(self._whole, self._brackets[number % len(self._brackets)]):
            scores = self._of(number).at(rung)
            stay = (len(scores) + 1) // ETA
            if stay:
                found[rung] = scores[-stay]
        return found

    def _of(self, number: int) -> _Scores:
        return self._scores[self._brackets[number % len(self._brackets)]]


def _rungs(whole: int, count: int) -> Iterable[int]:
    """Returns the steps of the rungs, from low to high."""
    steps = (math.ceil(whole / ETA**power) for power in range(count, 0, -1))
    return dict.fromkeys(step for step in steps if step < whole)


def _spread(rungs: int) -> tuple[int, ...]:
    """Returns a period of brackets, by their number of rungs: the paper's numbers of trials, spread evenly."""
    sizes = {s: math.ceil((rungs + 1) / (s + 1) * ETA**s) for s in range(rungs, -1, -1)}
    whole = sum(sizes.values())
    given = dict.fromkeys(sizes, 0)
    order = []
    for number in range(whole):
        chosen = max(sizes, key=lambda s: sizes[s] * (number + 1) / whole - given[s])
        given[chosen] += 1
        order.append(chosen)
    return tuple(order)


BRACKETS = _spread(RUNGS)
"""How many rungs trial n has under hyperband: the entry at n modulo the length."""
