"""Opponents that stop fits early: one epoch each, successive halving that keeps a third, Hyperband."""

from __future__ import annotations

from typing import ClassVar

from tlbench.contracts.policies.policy import Policy, Proposal, Situation
from tlbench.finding.policies.promotion import PARTS, Rungs, scores_of
from tlbench.finding.policies.proposals import first_possible, next_baseline, shuffled
from tlbench.finding.policies.successive_halving import SuccessiveHalving


class OneEpochEach(Policy):
    """An eighth of the steps of every candidate with its defaults, then the best of them whole, in order of rank.

    The short fits take at most half of the budget. Afterwards the settings that are left are drawn at random.
    """

    name: ClassVar[str] = "one epoch each"
    paper: ClassVar[str] = "Egele et al. 2024, arXiv:2404.04111"

    def next(self, situation: Situation) -> Proposal | None:
        """Returns the next short fit, or the next whole one."""
        settings = shuffled(situation)
        firsts = {one.number: tuple(sorted(one.defaults.items())) for one in situation.candidates}
        defaults = [one for one in settings if one.key[1] == firsts[one.candidate]]
        rungs, scores = Rungs(defaults), scores_of(situation)
        short = [rungs.at(situation, one, PARTS[0]) for one in defaults]
        spent = sum(one.seconds for one in situation.outcomes if one.proposal.part)
        new = first_possible(situation, short)
        if new and spent + situation.cost(new) > situation.seconds / 2:
            new = None
        ranked = sorted(
            ((scores[fit.key], one) for fit, one in zip(short, defaults, strict=True) if fit.key in scores),
            key=lambda pair: -pair[0],
        )
        return (
            next_baseline(situation)
            or new
            or first_possible(situation, [one for _, one in ranked])
            or first_possible(situation, settings)
        )


class ThirdOfEachRung(SuccessiveHalving):
    """Successive halving that promotes a third of each rung."""

    name: ClassVar[str] = "halving, eta 3"
    share: ClassVar[float] = 1 / 3


class Hyperband(Policy):
    """Three schedules of rungs, which begin at an eighth, at a half and at all of the steps.

    Each has a third of the time, and promotes a third of each rung.
    """

    name: ClassVar[str] = "Hyperband"
    paper: ClassVar[str] = "Li et al. 2018, arXiv:1603.06560"

    def next(self, situation: Situation) -> Proposal | None:
        """Returns the next fit of the first schedule that has one, or of a random search after all."""
        if baseline := next_baseline(situation):
            return baseline
        settings = shuffled(situation)
        for bracket in range(len(PARTS)):
            # Every schedule has settings of its own.
            rungs = Rungs(settings[bracket :: len(PARTS)], 1 / 3, PARTS[bracket:])
            proposal, is_waiting = rungs.next(situation, rungs.entrants(situation, situation.seconds / len(PARTS)))
            if proposal or is_waiting:
                return proposal
        return first_possible(situation, settings)
