"""The policy `halving`: as many random settings as the budget holds start short, and the better ones go on."""

from __future__ import annotations

from typing import ClassVar

from tlbench.contracts.policies.policy import Policy, Proposal, Situation
from tlbench.finding.policies.promotion import Rungs
from tlbench.finding.policies.proposals import first_possible, next_baseline, shuffled


class SuccessiveHalving(Policy):
    """Successive halving over candidates and settings drawn at random, after the baselines.

    The rungs are an eighth, a half and all of a fit's steps. The first has as many settings as the budget holds with
    all rungs, and the best half of each by validation score is fitted again in the next. Time that is left goes to
    random search.
    """

    name: ClassVar[str] = "halving"
    description: ClassVar[str] = "Random settings at an eighth of their steps, the best half at half, and again at all."
    paper: ClassVar[str] = "Jamieson & Talwalkar 2016, arXiv:1502.07943"
    share: ClassVar[float] = 0.5
    """The share of a rung that is promoted."""

    def next(self, situation: Situation) -> Proposal | None:
        """Returns the next fit of the schedule, or of a random search after it."""
        if baseline := next_baseline(situation):
            return baseline
        settings = shuffled(situation)
        rungs = Rungs(settings, self.share)
        proposal, is_waiting = rungs.next(situation, rungs.entrants(situation, situation.seconds))
        return proposal if proposal or is_waiting else first_possible(situation, settings)
