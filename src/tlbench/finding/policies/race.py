"""The policy `race`: probes, a portfolio of defaults, then steps of the learning rate beside the best."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

from tlbench.contracts.policies.policy import Candidate, Outcome, Policy, Proposal, Situation
from tlbench.finding.policies.portfolio import by_size, core, dropped, extension, first_held
from tlbench.finding.policies.promotion import Rungs
from tlbench.finding.policies.proposals import WIDTHS, beside, default_of, first_possible, next_baseline, shuffled

PROBES = 0.75
"""The share of the budget that probes may take; with little time they tell more than a few whole fits."""
FREE, FREE_STEPS = 0.03, 0.1
"""The share of the remaining budget below which a fit costs so little that it comes first; and the share of the whole
budget that such steps beside the probes may take together."""
MORE = 1.5
"""How many times as many fits rungs must take in as the budget holds whole: a rung decides on less than the truth, and
with equal costs they take in 1.6 times as many."""


class Race(Policy):
    """Baselines, a closed-form probe of every backbone, a portfolio of defaults, then steps beside the best.

    Of probes on features that are there already, the neighbouring settings cost next to nothing and are fitted at once.

    The portfolio is each family's default strategy on the backbone with the best probe, the largest one, and the second
    by probe. It is fitted whole, in order, as far as the budget holds it. Only where rungs take in half as many fits
    again do they begin with an eighth of their steps; the better half by rank goes on to a half of the steps, and again
    to all. No test of significance ends a fit early, since fits that start slowly would be lost. Then a step of the
    learning rate (later of other hyperparameters) beside the best setting takes turns with the next candidate.
    Candidates that fail or answer a constant are dropped.

    The first paper adapts the backbone with the best probe and the one that is best without a look at the task; the
    second one has the rungs.
    """

    name: ClassVar[str] = "race"
    description: ClassVar[str] = "Probes of all backbones, a portfolio of defaults, then steps beside the best."
    paper: ClassVar[str] = "Renggli et al. 2022, arXiv:2010.06402; Jamieson & Talwalkar 2016, arXiv:1502.07943"

    def next(self, situation: Situation) -> Proposal | None:
        """Returns the next fit: of the first phase that has one which is new and fits into the budget."""
        if proposal := next_baseline(situation) or _next_probe(situation):
            return proposal
        if _runs_probes(situation):
            return None
        if step := _next_free_step(situation):
            return step
        proposal, is_waiting = _next_of_portfolio(situation)
        if proposal or is_waiting:
            return proposal
        return _next_after_portfolio(situation)


def _next_probe(situation: Situation) -> Proposal | None:
    """Returns the next probe: the cheapest for a first answer, one of the largest backbone, then by prior and cost."""
    is_probe = [one.role == "probe" for one in situation.candidates]
    probes = [default_of(one, reason="probe") for one in situation.candidates if one.role == "probe"]
    spent = sum(one.seconds for one in situation.outcomes if is_probe[one.proposal.candidate])
    spent += sum(situation.cost(one) for one in situation.running if is_probe[one.candidate])
    new = sorted((one for one in probes if situation.is_new(one)), key=situation.cost)
    if len(new) < len(probes):
        largest = by_size(situation)[0]
        known = {situation.candidates[one.candidate].backbone for one in probes if not situation.is_new(one)}
        if largest not in known:
            new.sort(key=lambda one: situation.candidates[one.candidate].backbone != largest)
        else:
            new.sort(key=lambda one: -situation.candidates[one.candidate].prior)
    affordable = (one for one in new if spent + situation.cost(one) <= PROBES * situation.seconds)
    return first_possible(situation, affordable)


def _next_free_step(situation: Situation) -> Proposal | None:
    """Returns the next setting beside a probe that costs next to nothing: probes rank the backbones."""
    probes = {one.number for one in situation.candidates if one.role == "probe"} - dropped(situation)
    others = {one.number for one in situation.candidates} - probes
    known = [one for one in situation.outcomes if one.proposal.candidate in probes]
    defaults = {number: default_of(situation.candidates[number]).key for number in probes}
    spent = sum(one.seconds for one in known if one.proposal.key != defaults[one.proposal.candidate])
    left = min(FREE * situation.seconds_left, FREE_STEPS * situation.seconds - spent)
    steps = _steps(situation, others, WIDTHS[:1])
    return first_possible(situation, (one for one in steps if situation.cost(one) <= left))


def _runs_probes(situation: Situation) -> bool:
    return any(situation.candidates[one.candidate].role == "probe" for one in situation.running)


def _next_of_portfolio(situation: Situation) -> tuple[Proposal | None, bool]:
    """Returns the next fit of the portfolio, and whether it waits for running fits before it has another one."""
    gone = dropped(situation)
    cells = [one for one in core(situation) if one.number not in gone]
    stopped = {one.candidate for one in _proposals(situation) if one.part is not None}
    left = [one for one in cells if situation.is_new(default_of(one))]
    if not stopped:
        held = first_held(situation, _cheap_first(situation, left))
        if len(held) == len(left):
            return (held[0] if held else None), False
        rungs = Rungs([default_of(one, reason="portfolio") for one in left])
        if rungs.entrants(situation, situation.seconds_left) < MORE * len(held):
            return (held[0] if held else None), False
    else:
        rungs = Rungs([default_of(one, reason="portfolio") for one in cells if one in left or one.number in stopped])
    return rungs.next(situation, rungs.entrants(situation, situation.seconds_left + _seconds_of(situation, stopped)))


def _cheap_first(situation: Situation, cells: list[Candidate]) -> list[Candidate]:
    """Returns the cells with those first that cost next to nothing, the cheapest first of all."""
    costs = {one.number: situation.cost(default_of(one)) for one in cells}
    free = [one for one in cells if costs[one.number] <= FREE * situation.seconds_left]
    return [*sorted(free, key=lambda one: costs[one.number]), *(one for one in cells if one not in free)]


def _seconds_of(situation: Situation, candidates: set[int]) -> float:
    """Returns the seconds of all fits of these candidates; for running fits, the expected seconds."""
    finished = sum(one.seconds for one in situation.outcomes if one.proposal.candidate in candidates)
    return finished + sum(situation.cost(one) for one in situation.running if one.candidate in candidates)


def _next_after_portfolio(situation: Situation) -> Proposal | None:
    gone = dropped(situation)
    order = [one.number for one in extension(situation)]
    firsts = (default_of(situation.candidates[one], reason="next candidate") for one in order if one not in gone)
    new = first_possible(situation, firsts)
    step = first_possible(situation, _steps(situation, gone))
    if step and new:
        first = {one.number for one in core(situation)}
        defaults = {one.number: default_of(one).key for one in situation.candidates}
        fits = [one for one in _proposals(situation) if one.part is None]
        steps = sum(one.key != defaults[one.candidate] for one in fits)
        others = sum(
            one.key == defaults[one.candidate] and situation.candidates[one.candidate].role == "adaptation"
            and one.candidate not in first
            for one in fits
        )  # fmt: skip
        return step if steps <= others else new
    if step or new:
        return step or new
    return first_possible(situation, (one for one in shuffled(situation) if one.candidate not in gone))


def _steps(situation: Situation, gone: set[int], widths: Sequence[float] = WIDTHS) -> Iterator[Proposal]:
    """Yields the settings beside the best one of each candidate, those of the best candidate first.

    Args:
        situation: The state of the search.
        gone: Candidates to leave out.
        widths: Widths of the steps, in the order in which they are tried.
    """
    whole = [one for one in situation.outcomes if one.proposal.part is None and one.proposal.candidate not in gone]
    best: dict[int, Outcome] = {}
    for outcome in sorted(whole, key=lambda one: -math.inf if one.score is None else one.score, reverse=True):
        best.setdefault(outcome.proposal.candidate, outcome)
    for number, outcome in best.items():
        for width in widths:
            for params in beside(situation.candidates[number], outcome.proposal.params, width):
                yield Proposal(number, params, None, "step beside the best")


def _proposals(situation: Situation) -> list[Proposal]:
    return [*(outcome.proposal for outcome in situation.outcomes), *situation.running]
