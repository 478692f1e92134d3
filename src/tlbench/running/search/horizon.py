"""How far a search looks: which results the next setting and its thresholds may depend on."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from tlbench.running.search.told_trials import Told

MOST = 3
"""The lag grows to at most so many times what the protocol says; a greater one would have the search learn little."""


class Horizon:
    """Says, for one trial after the other, how many trials from the first one on it may learn from.

    Where trials run to their end, these are all but the last `lag` before it. Where some are pruned, the lag is counted
    in whole fits: if the last trials that were seen took two thirds of a whole fit, it is half as many trials again.
    Otherwise one trial that runs to its end would leave the other workers idle, for the few trials that may be asked
    for beside it are pruned soon. It depends on nothing but the results that are seen, and so not on the workers.
    """

    def __init__(self, lag: int, max_steps: int | None) -> None:
        self._lag, self._whole, self._learns = lag, max_steps or 0, max_steps is None
        self._number = self._seen = 0
        self._steps: deque[int | None] = deque(maxlen=lag)
        """Where the last trials that are seen were pruned or failed; None for one that ran to its end."""

    def of(self, number: int, ends: Mapping[int, Told], told: int) -> int | None:
        """Returns how many trials this one sees, or None where one of them was not told yet.

        Args:
            number: Of the trial, not less than in the call before.
            ends: How trials ended.
            told: How many of them were told without a gap, from the first one on.
        """
        while self._number <= number:
            seen = max(self._seen, self._number + 1 - self._trials())
            if seen > told:
                return None
            for other in range(self._seen, seen):
                self._see(ends[other])
            self._seen = seen
            self._number += 1
        return self._seen

    def _trials(self) -> int:
        """Returns how many trials the lag is."""
        shares = [1.0 if step is None else min(1.0, step / self._whole) for step in self._steps]
        if not shares:
            return self._lag
        return min(MOST * self._lag, math.ceil(self._lag * len(shares) / sum(shares)))

    def _see(self, end: Told) -> None:
        last = end.curve[-1][0] if end.curve else 0
        if self._learns:
            self._whole = max(self._whole, last)
        if end.state == "complete":
            self._steps.append(None)
        elif last and self._whole:
            self._steps.append(last)
