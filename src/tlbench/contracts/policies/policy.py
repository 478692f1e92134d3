"""The policy contract: a policy decides which fit a search within a budget makes next.

`tlbench find` has a time budget and a list of candidates, each a backbone with a strategy. It asks a policy for one fit
after another and tells it what each gave. A policy sees validation scores and seconds, never weights, data or the test
split, so the same policy runs live and on stored results (`benchmarks/find`).

    class SizeOrder(Policy):
        'Fits each candidate whole with its defaults, the largest backbone first.'

        name = "size-order"

        def next(self, situation):
            for candidate in sorted(situation.candidates, key=lambda one: -one.parameters):
                proposal = Proposal(candidate.number, candidate.defaults)
                if situation.is_new(proposal) and situation.fits(proposal):
                    return proposal
            return None
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal, TypeAlias

from tlbench.contracts.space import Space, Value

Role = Literal["baseline", "probe", "adaptation"]
ProposalKey: TypeAlias = tuple[int, tuple[tuple[str, Value], ...], int | None]

MARGIN = 1.1
"""Factor on the expected cost of a fit that has to end within the budget: one that the deadline stops is lost."""


@dataclass(frozen=True)
class Candidate:
    """A backbone with a strategy, or a baseline without a backbone."""

    number: int
    """Its place in `Situation.candidates`."""
    strategy: str
    backbone: str = ""
    """Name of the backbone; empty for a baseline."""
    role: Role = "adaptation"
    """`probe` for a head solved in closed form on frozen features, `baseline` for a strategy without a backbone."""
    family: str = ""
    """`Strategy.family`; of a family, the first strategy of a backbone is tried before the others. Empty if unknown."""
    parameters: int = 0
    """Number of parameters of the backbone; 0 if unknown."""
    space: Space = field(default_factory=dict)
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """The params of the first fit, with a value for each hyperparameter of the space that exists under them."""
    prior: float = 0.0
    """How it ranked in earlier searches on other data, from -1 (last) to 1 (first); 0 if unknown. It may order first
    fits, and should decide nothing once there are scores."""


@dataclass(frozen=True)
class Proposal:
    """A fit that a policy asks for, always at the first seed."""

    candidate: int
    params: Mapping[str, Value]
    part: int | None = None
    """8 to stop the fit after an eighth of its steps, 2 after half of them, None to let it end. A stopped fit is a
    prefix of the whole one; a fit that continues it starts anew and costs its whole time."""
    reason: str = field(default="", compare=False)
    """Why this fit comes next, in a few words for the live view."""

    @cached_property
    def key(self) -> ProposalKey:
        """A hashable form, equal for equal fits."""
        return self.candidate, tuple(sorted(self.params.items())), self.part


@dataclass(frozen=True)
class Outcome:
    """The result of a fit, as a policy sees it."""

    proposal: Proposal
    score: float | None
    """The validation score, signed so that greater is better; None if the fit failed."""
    seconds: float
    """Seconds charged to the budget, with encoding and set-up."""
    is_constant: bool = False
    """Whether all predictions are the same, as after a learning rate that is far too high."""


@dataclass(frozen=True)
class Situation:
    """The state of a search when the next fit is chosen."""

    candidates: Sequence[Candidate]
    outcomes: Sequence[Outcome]
    """The finished fits, in the order in which they were proposed."""
    running: Sequence[Proposal]
    """Fits that workers are carrying out."""
    seconds: float
    """The budget of the search, without the time that is reserved for the final fits."""
    seconds_left: float
    """What is left of it, after the expected rest of the running fits; of all workers together."""
    cost: Callable[[Proposal], float]
    """Returns the seconds that the fit of a `Proposal` is expected to take, corrected by the fits so far."""
    validation_rows: int
    workers: int = 1
    seed: int = 0
    """Seed of all random choices of a policy, which must depend on nothing else."""
    longest_seconds: float = math.inf
    """Time until the deadline, which the next fit cannot exceed; with one worker, the same as `seconds_left`."""

    @cached_property
    def _known(self) -> frozenset[ProposalKey]:
        return frozenset(one.key for one in (*(outcome.proposal for outcome in self.outcomes), *self.running))

    def is_new(self, proposal: Proposal) -> bool:
        """Returns whether this fit is neither finished nor running."""
        return proposal.key not in self._known

    def fits(self, proposal: Proposal) -> bool:
        """Returns whether the fit is expected to end within the budget, with `MARGIN` for a cost that is off."""
        return MARGIN * self.cost(proposal) <= min(self.seconds_left, self.longest_seconds)

    @property
    def best(self) -> Outcome | None:
        """The best fit of full length whose predictions are not constant; None if there is none yet.

        Every policy's answer: of equal scores, the one that was proposed first.
        """
        whole = [one for one in self.outcomes if one.proposal.part is None and one.score is not None]
        useful = [one for one in whole if not one.is_constant] or whole
        return max(useful, key=lambda one: one.score if one.score is not None else 0.0, default=None)


class Policy:
    """A schedule of fits within a budget: subclass it and return it from the hook `tlbench_policies`."""

    name: ClassVar[str]
    """The name for `tlbench find --policy`, in kebab-case."""
    description: ClassVar[str] = ""
    """One line for `tlbench list policies`."""
    paper: ClassVar[str] = ""
    """The reference of the method."""

    def next(self, situation: Situation) -> Proposal | None:
        """Returns the next fit; None to wait for running fits, or to end the search if there are none.

        It must depend on the situation alone: a search that was killed asks again with the same situation.
        """
        raise NotImplementedError
