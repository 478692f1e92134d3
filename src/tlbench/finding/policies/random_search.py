"""The policy `random`: whole fits of candidates and settings drawn at random."""

from __future__ import annotations

from typing import ClassVar

from tlbench.contracts.policies.policy import Policy, Proposal, Situation
from tlbench.finding.policies.proposals import first_possible, next_baseline, shuffled


class RandomSearch(Policy):
    """Random search over all candidates and their settings at once, after the baselines.

    No fit is drawn twice; fits that the rest of the budget does not hold are passed over.
    """

    name: ClassVar[str] = "random"
    description: ClassVar[str] = "Whole fits of candidates and settings drawn at random."
    paper: ClassVar[str] = "Bergstra & Bengio 2012, https://jmlr.org/papers/v13/bergstra12a.html"

    def next(self, situation: Situation) -> Proposal | None:
        """Returns the first fit in random order that is new and fits into the budget."""
        return next_baseline(situation) or first_possible(situation, shuffled(situation))
