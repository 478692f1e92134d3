"""Pruning: score thresholds below which a fit stops early, computed from the trials before it.

The driver computes the thresholds when it orders a fit, and the worker compares the fit's scores with them, so that
driver and worker need not communicate during the fit. Scores are signed so that greater is better. Every rule compares
trials by their best scores so far.

- `median` (Golovin et al. 2017, Google Vizier, doi:10.1145/3097983.3098043): a trial stops at a step if its best score
  so far is below the median of the best scores so far of the trials that ran to their end. The rule applies once five
  trials have run to their end. The paper uses the average of the other trials' scores so far instead of their best.
- `halving` (asynchronous successive halving, Li et al. 2020, arXiv:1810.05934): there are rungs at 1/27, 1/9 and 1/3 of
  a fit, and a trial stops at a rung if it is not in the top third of all trials that reached the rung, itself included.
- `hyperband` (Li et al. 2018, arXiv:1603.06560): there are four brackets, from one with all three rungs to one with
  none, so that trials that begin slowly have a chance. The bracket of trial n depends on n alone, and a trial is
  compared only with trials of its bracket.

Unlike in the papers, a pruned fit is never resumed: a trial that has once fallen behind is lost. The pruners
`halving-rungs` and `hyperband-rungs` (`rung_search.py`) are those of the papers, and have no thresholds.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Protocol

from tlbench.contracts.cell import Pruner
from tlbench.running.search.rungs import ETA, MOST_RUNGS, bracket_schedule
from tlbench.running.search.trial_outcomes import Curve, TrialOutcome

STARTUP_TRIALS = 5
"""Number of trials that must have run to their end before the median rule applies."""


def should_prune(stop_below: Mapping[int, float], step: int, best: float) -> bool:
    """Returns whether a fit with this best score so far stops at this step.

    Args:
        stop_below: By step, the minimum score that a fit needs to continue. The last threshold up to `step` applies.
        step: The step at which the fit reports.
        best: The fit's best score so far, signed so that greater is better.
    """
    passed = max((known for known in stop_below if known <= step), default=None)
    return passed is not None and best < stop_below[passed]


class PruningRule(Protocol):
    """A rule that stops fits early; trials are added in order of their numbers."""

    def add(self, number: int, outcome: TrialOutcome) -> None:
        """Adds a finished trial."""

    def thresholds(self, number: int) -> dict[int, float]:
        """Returns, by step, the score below which this trial stops, computed from the trials added so far."""


def pruning_rule(name: Pruner, max_steps: int | None) -> PruningRule | None:
    """Returns the rule with this name, or None for "none".

    Args:
        name: The pruner of the protocol.
        max_steps: The length of a whole fit in steps; None to learn it from the longest trial.
    """
    if name == "median":
        return _Median()
    if name == "halving":
        return _Halving(max_steps, (MOST_RUNGS,))
    return _Halving(max_steps, BRACKETS) if name == "hyperband" else None


class _BestScores:
    """The best scores so far of several trials, by step."""

    def __init__(self) -> None:
        self._curves: list[Curve] = []
        # Sorted lists, kept up to date for each step that was asked for once: recomputing them for every trial would be
        # quadratic in the number of trials.
        self._by_step: dict[int, list[float]] = {}

    def __len__(self) -> int:
        return len(self._curves)

    def add(self, curve: Curve) -> None:
        """Adds the curve of one trial."""
        self._curves.append(curve)
        for step, scores in self._by_step.items():
            _insert_best(scores, curve, step)

    def at(self, step: int) -> list[float]:
        """Returns the scores, in ascending order, of the trials that reported at this step or later."""
        if step not in self._by_step:
            self._by_step[step] = []
            for curve in self._curves:
                _insert_best(self._by_step[step], curve, step)
        return self._by_step[step]


def _insert_best(scores: list[float], curve: Curve, step: int) -> None:
    """Inserts a trial's best score up to its first report at this step or later, if there is such a report."""
    best = -math.inf
    for reported, score in curve:
        best = max(best, score)
        # Trials report at different steps. A fit compares itself at its first report from the threshold's step on, so
        # the others count with theirs.
        if reported >= step:
            insort(scores, best)
            return


class _Median:
    def __init__(self) -> None:
        self._scores = _BestScores()
        self._steps: set[int] = set()

    def add(self, number: int, outcome: TrialOutcome) -> None:
        # Only complete trials are added: the curves of pruned ones end early, so medians at later steps would be
        # computed from good trials alone.
        if outcome.state == "complete":
            self._scores.add(outcome.curve)
            self._steps.update(step for step, _ in outcome.curve)

    def thresholds(self, number: int) -> dict[int, float]:
        if len(self._scores) < STARTUP_TRIALS:
            return {}
        return {step: median(self._scores.at(step)) for step in sorted(self._steps)}


class _Halving:
    """Successive halving in one or several brackets; trial n is in bracket n modulo their number.

    Args:
        max_steps: The length of a whole fit; None to learn it.
        brackets: The number of rungs of each bracket.
    """

    def __init__(self, max_steps: int | None, brackets: tuple[int, ...]) -> None:
        self._whole_steps, self._learns_length, self._brackets = max_steps or 0, max_steps is None, brackets
        self._scores = {rungs: _BestScores() for rungs in brackets}

    def add(self, number: int, outcome: TrialOutcome) -> None:
        if outcome.state == "failed" or not outcome.curve:
            return
        if self._learns_length:
            self._whole_steps = max(self._whole_steps, outcome.curve[-1][0])
        self._bracket_scores(number).add(outcome.curve)

    def thresholds(self, number: int) -> dict[int, float]:
        found = {}
        for rung in _rungs(self._whole_steps, self._brackets[number % len(self._brackets)]):
            scores = self._bracket_scores(number).at(rung)
            # The trial itself is counted among those at the rung, hence the + 1.
            promoted = (len(scores) + 1) // ETA
            # With no trial to promote yet, there is no threshold: asynchronous halving never waits for a rung to fill.
            if promoted:
                found[rung] = scores[-promoted]
        return found

    def _bracket_scores(self, number: int) -> _BestScores:
        return self._scores[self._brackets[number % len(self._brackets)]]


def _rungs(whole_steps: int, count: int) -> Iterable[int]:
    """Returns the steps of the rungs, in ascending order."""
    steps = (math.ceil(whole_steps / ETA**power) for power in range(count, 0, -1))
    # Rungs of a short fit may fall on the same step.
    return dict.fromkeys(step for step in steps if step < whole_steps)


BRACKETS = bracket_schedule(MOST_RUNGS)
"""Number of rungs by trial under hyperband: trial n has `BRACKETS[n % len(BRACKETS)]` rungs."""
