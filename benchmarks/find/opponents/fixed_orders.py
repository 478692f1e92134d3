"""Opponents that fit candidates whole in an order: by size, by a score of frozen features, by history, by probes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from tlbench.contracts.policies.policy import Candidate, Policy, Proposal, Situation
from tlbench.contracts.space import Value
from tlbench.finding.policies.portfolio import by_size, probe_scores
from tlbench.finding.policies.proposals import default_of, first_possible, next_baseline, shuffled

Cell = tuple[str, str, tuple[tuple[str, Value], ...]]
"""A strategy, a backbone and params: what equal fits of several tasks share."""


class BackboneOrder(Policy):
    """All strategies of the first backbone with their defaults, then of the next; then all other settings at random.

    Of a backbone's strategies the probes come first, since they cost little where the features are there, then the
    costliest: an opponent that has no answer before its first long fit ends would be too easy.
    """

    def next(self, situation: Situation) -> Proposal | None:
        """Returns the next fit in order that is new and fits into the budget."""
        values = self.values(situation)
        order = sorted(
            (one for one in situation.candidates if one.role != "baseline"),
            key=lambda one: (
                -values.get(one.backbone, -math.inf),
                one.role != "probe",
                -situation.cost(default_of(one)),
            ),
        )
        return (
            next_baseline(situation)
            or self.first_phase(situation)
            or first_possible(situation, [default_of(one) for one in order])
            or first_possible(situation, shuffled(situation))
        )

    def values(self, situation: Situation) -> Mapping[str, float]:
        """Returns a value for each backbone, of which the greatest comes first."""
        raise NotImplementedError

    def first_phase(self, situation: Situation) -> Proposal | None:
        """Returns the next fit of what comes before the order."""
        return None


class SizeOrder(BackboneOrder):
    """The largest backbone first: a static order that needs no look at the task."""

    name: ClassVar[str] = "size order"
    paper: ClassVar[str] = "arXiv:2510.06448"

    def values(self, situation: Situation) -> Mapping[str, float]:
        """Returns the places in the order of size, negative."""
        return {name: -place for place, name in enumerate(by_size(situation))}


class FeatureOrder(BackboneOrder):
    """The backbone first whose frozen features have the best score, as TransformerRanker does.

    Args:
        name: The name of the policy.
        scores: The score of each backbone.
    """

    paper: ClassVar[str] = "Garbas et al. 2025, arXiv:2409.05997"

    def __init__(self, name: str, scores: Mapping[str, float]) -> None:
        self.name = name  # type: ignore[misc]
        self._scores = scores

    def values(self, situation: Situation) -> Mapping[str, float]:
        """Returns the scores."""
        return self._scores


class ProbeOrder(BackboneOrder):
    """A probe of every backbone, the cheapest first, then the backbone with the best probe first."""

    name: ClassVar[str] = "probe top-k"
    paper: ClassVar[str] = "Renggli et al. 2022, arXiv:2010.06402"

    def values(self, situation: Situation) -> Mapping[str, float]:
        """Returns the probes' scores."""
        return probe_scores(situation)

    def first_phase(self, situation: Situation) -> Proposal | None:
        """Returns the next probe."""
        return next_probe(situation)


class TwoArms(Policy):
    """A probe of every backbone, and full fine-tuning of the largest one with each of its settings."""

    name: ClassVar[str] = "two arms"
    paper: ClassVar[str] = "Renggli et al. 2022, arXiv:2010.06402"

    def next(self, situation: Situation) -> Proposal | None:
        """Returns the next probe, or the next setting of the largest backbone's costliest strategy."""
        largest = by_size(situation)[:1]
        trained = [one for one in situation.candidates if one.role == "adaptation" and one.backbone in largest]
        arm = max(trained, key=lambda one: situation.cost(default_of(one)), default=None)
        others = [] if arm is None else [one for one in shuffled(situation) if one.candidate == arm.number]
        fits = [] if arm is None else [default_of(arm), *others]
        return next_baseline(situation) or next_probe(situation) or first_possible(situation, fits)


class HistoryOrder(Policy):
    """The fits first that were best on other tasks.

    Args:
        regrets: For fits of other tasks, how far each was from its task's best one, on average.
    """

    name: ClassVar[str] = "history"

    def __init__(self, regrets: Mapping[Cell, float]) -> None:
        self._regrets = regrets

    def next(self, situation: Situation) -> Proposal | None:
        """Returns the next fit in order of the regrets; those that history doesn't know come last."""
        order = sorted(
            shuffled(situation), key=lambda one: self._regrets.get(cell_of(situation.candidates, one), math.inf)
        )
        return next_baseline(situation) or first_possible(situation, order)


def cell_of(candidates: Sequence[Candidate], proposal: Proposal) -> Cell:
    """Returns the strategy, backbone and params of a fit, by which it is looked up in the records of other tasks."""
    candidate = candidates[proposal.candidate]
    return candidate.strategy, candidate.backbone, tuple(sorted(proposal.params.items()))


def next_probe(situation: Situation) -> Proposal | None:
    """Returns the next probe, the cheapest first."""
    probes = [default_of(one) for one in situation.candidates if one.role == "probe"]
    return first_possible(situation, sorted(probes, key=situation.cost))
