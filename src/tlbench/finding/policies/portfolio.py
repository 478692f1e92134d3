"""The portfolio of `race`: which backbones and which strategies are tried first, each with its defaults."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tlbench.contracts.policies.policy import MARGIN, Candidate, Outcome, Proposal, Situation
from tlbench.finding.policies.proposals import default_of

BACKBONES = 3
"""The backbone with the best probe, the largest one, and the second best by probe."""


def probe_scores(situation: Situation) -> dict[str, float]:
    """Returns the best probe score of each backbone that has one."""
    scores: dict[str, float] = {}
    for outcome in situation.outcomes:
        candidate = situation.candidates[outcome.proposal.candidate]
        if candidate.role == "probe" and outcome.score is not None:
            scores[candidate.backbone] = max(outcome.score, scores.get(candidate.backbone, outcome.score))
    return scores


def ranked_backbones(situation: Situation) -> list[str]:
    """Returns all backbones: the best by probe, the largest, then the others by probe.

    Those without a probe come last, by what earlier searches say and then by size.
    """
    largest_first, scores = by_size(situation), probe_scores(situation)
    # Of equal scores the larger backbone first: sorting is stable.
    by_probe = sorted((name for name in largest_first if name in scores), key=lambda name: -scores[name])
    priors: dict[str, float] = {}
    for one in situation.candidates:
        priors[one.backbone] = max(one.prior, priors.get(one.backbone, one.prior))
    rest = sorted(largest_first, key=lambda name: -priors[name])
    return list(dict.fromkeys([*by_probe[:1], *largest_first[:1], *by_probe, *rest]))


def core(situation: Situation) -> list[Candidate]:
    """Returns the portfolio in order: the first strategy of each family on each of the first backbones.

    The order is diagonal: the costliest family on the first backbone, then on the second, the second family on the
    first, and so on. The costliest family trains the most weights, and differs most from the probe. Where the rest of
    the budget does not hold a candidate, the next family of the same backbone takes its place.
    """
    backbones = {name: place for place, name in enumerate(ranked_backbones(situation)[:BACKBONES])}
    firsts: dict[tuple[str, str], Candidate] = {}
    for candidate in situation.candidates:
        if candidate.role == "adaptation" and candidate.backbone in backbones:
            firsts.setdefault((candidate.backbone, _family(candidate)), candidate)
    begun = {one.candidate for one in (*(outcome.proposal for outcome in situation.outcomes), *situation.running)}
    families = _by_cost(situation, list(firsts.values()))
    cells = []
    for backbone, number in backbones.items():
        own = [firsts[backbone, family] for family in families if (backbone, family) in firsts]
        held = [one for one in own if one.number in begun or situation.fits(default_of(one))]
        cells += [(number + place, place, one) for place, one in enumerate(held)]
    return [candidate for *_, candidate in sorted(cells, key=lambda cell: cell[:2])]


def extension(situation: Situation) -> list[Candidate]:
    """Returns all adapted candidates, in the order of the portfolio, backbones by probe."""
    backbones = {name: place for place, name in enumerate(ranked_backbones(situation))}
    rest = [one for one in situation.candidates if one.role == "adaptation"]
    families = {name: place for place, name in enumerate(_by_cost(situation, rest))}
    return sorted(rest, key=lambda one: backbones[one.backbone] + families[_family(one)])


def dropped(situation: Situation) -> set[int]:
    """Returns the candidates that are given up: one of their fits failed, or answered the same for every example.

    A constant answer counts at full length only, since some fits are slow to start.
    """
    return {
        outcome.proposal.candidate for outcome in situation.outcomes if outcome.score is None or _is_useless(outcome)
    }


def first_held(situation: Situation, cells: Sequence[Candidate]) -> list[Proposal]:
    """Returns the whole fits of these candidates that the rest of the budget holds together, in order."""
    held, total = [], 0.0
    for candidate in cells:
        proposal = default_of(candidate, reason="portfolio")
        cost = situation.cost(proposal)
        if MARGIN * (total + cost) <= situation.seconds_left and situation.fits(proposal):
            held.append(proposal)
            total += cost
    return held


def _is_useless(outcome: Outcome) -> bool:
    return outcome.is_constant and outcome.proposal.part is None


def _family(candidate: Candidate) -> str:
    return candidate.family or candidate.strategy


def by_size(situation: Situation) -> list[str]:
    """Returns all backbones, the largest first, or in random order if no size is known.

    What a fit costs doesn't stand in for the size: in published records the slowest backbones are often those that did
    not fit into memory with the usual batch.
    """
    sizes: dict[str, int] = {}
    for candidate in situation.candidates:
        if candidate.role != "baseline":
            sizes[candidate.backbone] = max(candidate.parameters, sizes.get(candidate.backbone, 0))
    names = list(sizes)
    if not any(sizes.values()):
        random.Random(situation.seed).shuffle(names)
    # Sorting is stable: what has no size keeps its order.
    return sorted(names, key=lambda name: -sizes[name])


def _by_cost(situation: Situation, candidates: Sequence[Candidate]) -> list[str]:
    """Returns families from the costliest down, by the mean cost of their defaults."""
    costs: dict[str, list[float]] = {}
    for candidate in candidates:
        costs.setdefault(_family(candidate), []).append(situation.cost(default_of(candidate)))
    return sorted(costs, key=lambda family: -sum(costs[family]) / len(costs[family]))
