"""Determines on which earlier trials a new trial's params and pruning thresholds may depend."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from tlbench.running.search.trial_outcomes import TrialOutcome

MAX_LAG_FACTOR = 3
"""Upper limit of the lag, as a multiple of the protocol's lag. With a longer lag the search would learn too little."""


class LagWindow:
    """Computes, trial by trial, how many of the first trials the next one may learn from.

    If all trials run to their end, trial n may learn from the trials up to number n - `lag`. If some trials are pruned,
    the lag counts as many trials as cost about `lag` full fits: for example, if the last usable trials took two thirds
    of a full fit on average, the lag is 1.5 * `lag` trials. With a fixed lag, one trial that runs to its end would
    leave the other workers idle, because the few trials that may run at the same time are soon pruned. The window
    depends only on trials that may be used, so it is the same on any number of workers.
    """

    def __init__(self, lag: int, max_steps: int | None) -> None:
        # Without `max_steps` the length of a full fit is learned: it is the longest fit that may be used.
        self._lag, self._whole_steps, self._learns_length = lag, max_steps or 0, max_steps is None
        self._number = self._visible = 0
        self._last_steps: deque[int | None] = deque(maxlen=lag)
        """The steps at which the last usable trials were pruned or failed; None for one that ran to its end."""

    def visible(self, number: int, outcomes: Mapping[int, TrialOutcome], finished_in_order: int) -> int | None:
        """Returns how many of the first trials this one may learn from, or None if one of them is not finished yet.

        Args:
            number: The trial's number, not less than in the call before.
            outcomes: Outcomes of finished trials, by number.
            finished_in_order: How many trials, counted from the first one, have finished without a gap.
        """
        # Numbers that were skipped (trials of an earlier process) move the window too. Otherwise a search that is
        # resumed would see other trials than one that ran through.
        while self._number <= number:
            # The window never shrinks: a longer lag must not hide trials that were already used.
            visible = max(self._visible, self._number + 1 - self._trials_behind())
            if visible > finished_in_order:
                return None
            for other in range(self._visible, visible):
                self._add(outcomes[other])
            self._visible = visible
            self._number += 1
        return self._visible

    def _trials_behind(self) -> int:
        """Returns the lag as a number of trials, which together cost about as much as `lag` full fits."""
        shares = [1.0 if step is None else min(1.0, step / self._whole_steps) for step in self._last_steps]
        if not shares:
            return self._lag
        return min(MAX_LAG_FACTOR * self._lag, math.ceil(self._lag * len(shares) / sum(shares)))

    def _add(self, outcome: TrialOutcome) -> None:
        last = outcome.curve[-1][0] if outcome.curve else 0
        if self._learns_length:
            self._whole_steps = max(self._whole_steps, last)
        if outcome.state == "complete":
            self._last_steps.append(None)
        elif last and self._whole_steps:
            # A trial that failed before its first report says nothing about the cost of a trial, and isn't counted.
            self._last_steps.append(last)
