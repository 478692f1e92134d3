"""Fits of a schedule of rungs: an eighth, a half and all of the steps, each for the best of the rung before by rank."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tlbench.contracts.policies.policy import MARGIN, Proposal, ProposalKey, Situation

PARTS: tuple[int | None, ...] = (8, 2, None)
"""`Proposal.part` of each rung."""
LITTLE = 0.8
"""Share of a whole fit's cost above which a stopped fit saves too little to be worth a second fit."""


@dataclass(frozen=True)
class Rungs:
    """A schedule of rungs for some settings, in the order in which they enter.

    A promoted fit starts from the beginning and costs its whole time.
    """

    settings: Sequence[Proposal]
    """The whole fits."""
    share: float = 0.5
    """The share of a rung that is promoted, at least one fit."""
    parts: Sequence[int | None] = PARTS

    def at(self, situation: Situation, whole: Proposal, part: int | None) -> Proposal:
        """Returns the fit of a setting that serves a rung: of a part of its steps, or whole.

        It is whole where the whole fit is known already, and where stopping saves little, as in fits without steps.
        """
        if part is None or not situation.is_new(whole):
            return whole
        stopped = _stopped(whole.key, part)
        if not situation.is_new(stopped) or situation.cost(stopped) <= LITTLE * situation.cost(whole):
            return stopped
        return whole

    def sizes(self, entered: int) -> list[int]:
        """Returns how many fits each rung has if so many settings enter the first."""
        sizes = [entered]
        for _ in self.parts[1:]:
            sizes.append(max(1, math.ceil(sizes[-1] * self.share)) if entered else 0)
        return sizes

    def entrants(self, situation: Situation, seconds: float) -> int:
        """Returns how many settings can enter so that all rungs fit into the time, even if the costliest are promoted.

        `MARGIN` is left for costs that are off: without its last fit, which is whole, a schedule has no answer.

        Settings that have a stopped fit have entered already.
        """
        proposals = (*(outcome.proposal for outcome in situation.outcomes), *situation.running)
        begun = {one.key[:2] for one in proposals if one.part is not None and one.part in self.parts}
        costs: list[list[float]] = [[] for _ in self.parts]
        total, entered = 0.0, 0
        for number, whole in enumerate(self.settings, 1):
            if whole.key[:2] in begun:
                entered = number
            if total <= seconds:
                for rung, part in enumerate(self.parts):
                    costs[rung].append(situation.cost(self.at(situation, whole, part)))
                total += costs[0][-1]

        def is_too_many(number: int) -> bool:
            pairs = zip(costs, self.sizes(number), strict=True)
            return sum(sum(sorted(one[:number])[-size:]) for one, size in pairs) * MARGIN > seconds

        # The time of all rungs grows with the settings, so that bisection finds the most.
        most = bisect.bisect_left(range(1, len(costs[0]) + 1), True, key=is_too_many)
        return max(entered, most)

    def next(self, situation: Situation, entered: int) -> tuple[Proposal | None, bool]:
        """Returns the next fit, and whether the schedule waits for running fits before it has another one.

        Args:
            situation: The state of the search.
            entered: How many of the settings enter.
        """
        scores = scores_of(situation)
        members = list(self.settings[:entered])
        for size, part in zip(self.sizes(len(members)), self.parts, strict=True):
            fits = [self.at(situation, one, part) for one in members[:size]]
            for one in fits:
                if situation.is_new(one) and situation.fits(one):
                    return one, False
            if any(not situation.is_new(one) and one.key not in scores for one in fits):
                return None, True
            # Fits that were not held by the budget have no score, and end here.
            done = [(scores[fit.key], one) for one, fit in zip(members, fits, strict=False) if fit.key in scores]
            ranked = sorted(done, key=lambda pair: -pair[0])
            members = [one for score, one in ranked if score > -math.inf]
        return None, False


# A replay asks thousands of times for the same few.
@lru_cache(maxsize=4096)
def _stopped(whole: ProposalKey, part: int) -> Proposal:
    return Proposal(whole[0], dict(whole[1]), part, f"rung at 1/{part} of the steps")


def scores_of(situation: Situation) -> Mapping[ProposalKey, float]:
    """Returns the score of each finished fit, minus infinity for a failed one."""
    return {
        outcome.proposal.key: -math.inf if outcome.score is None else outcome.score for outcome in situation.outcomes
    }
