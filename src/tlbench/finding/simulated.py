"""A search on stored results: carries out what a policy proposes without fitting anything."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from tlbench.contracts.errors import PluginError
from tlbench.contracts.policies.policy import Candidate, Outcome, Policy, Proposal, Situation
from tlbench.contracts.space import Choice, Domain, Value, exists


class Fits(Protocol):
    """The fits that a search can make, for one search: what a fit costs may depend on the fits before it."""

    candidates: Sequence[Candidate]
    validation_rows: int

    def cost(self, proposal: Proposal) -> float:
        """Returns the seconds that a fit is expected to take."""
        ...

    def fit(self, proposal: Proposal) -> Outcome:
        """Returns what a fit gives; called once for each fit, in the order in which they begin."""
        ...


@dataclass
class SimulatedSearch:
    """The course of one search: all that a policy saw, and when."""

    situation: Situation
    """At the end."""
    calls: int = 0
    """How often the policy was asked."""
    times: list[float] = field(default_factory=list)
    """When each fit of `situation.outcomes` ended, in seconds from the start."""

    @property
    def seconds(self) -> float:
        """Seconds charged for all fits."""
        return sum(one.seconds for one in self.situation.outcomes)


def simulate(policy: Policy, fits: Fits, seconds: float, workers: int = 1, seed: int = 0) -> SimulatedSearch:
    """Returns the search that a policy makes within a deadline.

    A fit that has not ended at the deadline is stopped there: it has no score, and is charged until then.

    Args:
        policy: The policy.
        fits: The stored fits, of which this search becomes part.
        seconds: The deadline.
        workers: How many fits run at the same time.
        seed: `Situation.seed`.

    Raises:
        PluginError: The policy proposes a fit twice, or one that is not in the space of a candidate.
    """
    # In the order of proposal: the end of each fit, and what it gives.
    begun: list[tuple[float, Outcome]] = []
    busy: list[tuple[float, int]] = []
    expected: dict[int, float] = {}
    now, calls = 0.0, 0
    while True:
        running = {number for _, number in busy}
        ends = [max(now, min(expected[number], seconds)) for number in running]
        left = [seconds - end for end in ends] + [seconds - now] * (workers - len(ends))
        situation = Situation(
            candidates=fits.candidates,
            outcomes=[outcome for number, (_, outcome) in enumerate(begun) if number not in running],
            running=[begun[number][1].proposal for number in sorted(running)],
            seconds=seconds * workers, seconds_left=sum(left), cost=fits.cost,
            validation_rows=fits.validation_rows, workers=workers, seed=seed, longest_seconds=seconds - now,
        )  # fmt: skip
        proposal = None
        if now < seconds and len(busy) < workers:
            calls += 1
            proposal = policy.next(situation)
        if proposal is not None:
            if fault := fault_of_proposal(situation, proposal):
                raise PluginError(f"the policy {policy.name} proposed {fault}")
            expected[len(begun)] = now + fits.cost(proposal)
            outcome = fits.fit(proposal)
            if now + outcome.seconds > seconds:
                outcome = replace(outcome, score=None, seconds=seconds - now)
            heapq.heappush(busy, (now + outcome.seconds, len(begun)))
            begun.append((now + outcome.seconds, outcome))
        elif busy:
            now, _ = heapq.heappop(busy)
        else:
            return SimulatedSearch(situation, calls, [end for end, _ in begun])


def fault_of_proposal(situation: Situation, proposal: Proposal) -> str:
    """Returns what is wrong with a proposal, or an empty text if it can be carried out."""
    if not 0 <= proposal.candidate < len(situation.candidates):
        return f"candidate {proposal.candidate}, and there are {len(situation.candidates)}"
    candidate = situation.candidates[proposal.candidate]
    title = f"{candidate.strategy} of {candidate.backbone}" if candidate.backbone else candidate.strategy
    if proposal.part not in (8, 2, None):
        return f"1/{proposal.part} of the steps of {title}, which is not 1/8, 1/2 or all of them"
    if not situation.is_new(proposal):
        return f"a fit of {title} twice: {dict(proposal.params)}"
    for name in sorted({*proposal.params, *candidate.space}):
        if name not in candidate.space:
            if name not in candidate.defaults or proposal.params[name] != candidate.defaults[name]:
                return f"{name} for {title}, which has no such hyperparameter"
        elif exists(candidate.space[name], proposal.params) != (name in proposal.params):
            return f"{title} {'with' if name in proposal.params else 'without'} {name}: {dict(proposal.params)}"
        elif name in proposal.params and not _is_inside(candidate.space[name], proposal.params[name]):
            return f"{title} with {name}={proposal.params[name]!r}, which its space does not have"
    return ""


def _is_inside(domain: Domain, value: Value) -> bool:
    if isinstance(domain, Choice):
        return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in domain.values)
    return not isinstance(value, bool | str) and domain.low <= value <= domain.high
