"""The portfolio of `race`: which backbones and which strategies are tried first, each with its defaults."""

from __future__ import annotations

from collections.abc import Sequence

from tlbench.contracts.policies.policy import Candidate, Outcome, Proposal, Situation
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
    """Returns all backbones: the best by probe, the largest, then the others by probe, and by size where none is."""
    sizes = _sizes(situation)
    scores = probe_scores(situation)
    by_size = sorted(sizes, key=lambda name: -sizes[name])
    # Of equal scores the larger backbone first: sorting is stable.
    by_probe = [*sorted((one for one in by_size if one in scores), key=lambda name: -scores[name])]
    return list(dict.fromkeys([*by_probe[:1], *by_size[:1], *by_probe, *by_size]))


def core(situation: Situation) -> list[Candidate]:
    """Returns the portfolio in order: the first strategy of each family on each of the first backbones.

    The order is diagonal: the costliest family on the first backbone, then on the second, the second family on the
    first, and so on. The costliest family trains the most weights, and differs most from the probe.
    """
    backbones = ranked_backbones(situation)[:BACKBONES]
    firsts: dict[tuple[str, str], Candidate] = {}
    for candidate in situation.candidates:
        if candidate.role == "adaptation":
            firsts.setdefault((candidate.backbone, _family(candidate)), candidate)
    families = _by_cost(situation, list(firsts.values()))
    cells = [
        (number + place, place, firsts[backbone, family])
        for number, backbone in enumerate(backbones)
        for place, family in enumerate(families)
        if (backbone, family) in firsts
    ]
    return [candidate for *_, candidate in sorted(cells, key=lambda cell: cell[:2])]


def extension(situation: Situation) -> list[Candidate]:
    """Returns the candidates after the portfolio: by backbone in order of the probes, and the costliest family first."""
    backbones = ranked_backbones(situation)
    rest = [one for one in situation.candidates if one.role == "adaptation"]
    families = _by_cost(situation, rest)
    return sorted(rest, key=lambda one: backbones.index(one.backbone) + families.index(_family(one)))


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
        if total + cost <= situation.seconds_left and situation.fits(proposal):
            held.append(proposal)
            total += cost
    return held


def _is_useless(outcome: Outcome) -> bool:
    return outcome.is_constant and outcome.proposal.part is None


def _family(candidate: Candidate) -> str:
    return candidate.family or candidate.strategy


def _sizes(situation: Situation) -> dict[str, float]:
    """Returns the size of each backbone: its parameters, or its costliest fit where the parameters are unknown."""
    sizes: dict[str, float] = {}
    is_known = any(one.parameters for one in situation.candidates)
    for candidate in situation.candidates:
        if candidate.role != "baseline":
            size = candidate.parameters if is_known else situation.cost(default_of(candidate))
            sizes[candidate.backbone] = max(size, sizes.get(candidate.backbone, size))
    return sizes


def _by_cost(situation: Situation, candidates: Sequence[Candidate]) -> list[str]:
    """Returns families from the costliest down, by the mean cost of their defaults."""
    costs: dict[str, list[float]] = {}
    for candidate in candidates:
        costs.setdefault(_family(candidate), []).append(situation.cost(default_of(candidate)))
    return sorted(costs, key=lambda family: -sum(costs[family]) / len(costs[family]))
