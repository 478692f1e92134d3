"""Conformance checks for policies, on simulated searches."""

from __future__ import annotations

import copy
from typing import ClassVar

import pytest

from tlbench.contracts.policies.policy import Policy, Proposal, Situation
from tlbench.finding.simulated import SimulatedSearch, simulate
from tlbench.testing.conformance.every_plugin import check_light, check_name
from tlbench.testing.conformance.policies.synthetic_fits import SyntheticFits, example_candidates, numbered

_MOST_CALLS = 3000


class PolicyConformance:
    """Checks that a policy can be trusted with a search.

    Guarantees: every search ends; no fit is proposed twice, nor one outside of a candidate's space, nor one that is
    expected to exceed the budget; the same situation gives the same proposal, from a new object too; nothing breaks
    where there is no candidate, or one, where fits fail or answer a constant, and with several workers.

        class TestSizeOrder(PolicyConformance):
            policy = SizeOrder()
    """

    policy: ClassVar[Policy]

    def test_import_is_light(self) -> None:
        """Importing the policy's module does not import heavy libraries such as torch."""
        check_light(self.policy)

    def test_name(self) -> None:
        """The name is valid on the command line."""
        check_name(self.policy.name)

    @pytest.mark.parametrize("workers", [1, 3])
    @pytest.mark.parametrize("share", [0.02, 0.3, 3.0])
    def test_every_search_ends(self, share: float, workers: int) -> None:
        """Searches with little, some and plenty of time end, and propose only new fits of the space."""
        search = self._search(SyntheticFits(), share, workers)
        assert search.calls < _MOST_CALLS
        if share >= 1.0:
            assert search.situation.best is not None, "with time for every candidate, none was fitted whole"

    def test_proposals_fit_into_the_budget(self) -> None:
        """No fit is proposed whose expected cost exceeds the time that is left, even while others run."""
        for workers in (1, 3):
            self._search(SyntheticFits(), 0.2, workers, is_checked=True)

    def test_expected_costs_may_be_wrong(self) -> None:
        """A search ends where fits take twice as long as expected, or half as long."""
        for factor in (0.5, 2.0):
            assert self._search(SyntheticFits(slower=factor), 0.3).calls < _MOST_CALLS

    def test_the_same_situation_gives_the_same_proposal(self) -> None:
        """A search that is repeated by a new object proposes the same fits: nothing is kept between two calls."""
        first, again = (self._search(SyntheticFits(), 0.3, is_repeated=one) for one in (False, True))
        proposals = [[outcome.proposal for outcome in one.situation.outcomes] for one in (first, again)]
        assert proposals[0] == proposals[1]

    @pytest.mark.parametrize("kind", ["none", "baseline", "probe", "adaptation"])
    def test_at_most_one_candidate(self, kind: str) -> None:
        """A search without a candidate ends at once, and one with a single candidate fits it."""
        candidates = [one for one in example_candidates() if one.role == kind][:1]
        search = self._search(SyntheticFits(numbered(candidates)), 3.0)
        fitted = {outcome.proposal.candidate for outcome in search.situation.outcomes}
        assert fitted <= set(range(len(candidates)))
        if candidates and kind != "baseline":
            assert search.situation.best is not None, f"the only candidate, of the role {kind}, was never fitted"

    @pytest.mark.parametrize("problem", ["fails", "is constant"])
    @pytest.mark.parametrize("share", [0.5, 1.0])
    def test_fits_that_give_nothing(self, problem: str, share: float) -> None:
        """A search in which half of the fits, or all of them, fail or answer a constant ends."""
        search = self._search(SyntheticFits(faulty=share, problem=problem), 0.5, workers=2)
        assert search.calls < _MOST_CALLS

    def _search(
        self, fits: SyntheticFits, share: float, workers: int = 1, is_checked: bool = False, is_repeated: bool = False
    ) -> SimulatedSearch:
        """Returns a search in a share of the time that all candidates take with their defaults."""
        policy = _watched(self.policy, is_checked, is_repeated)
        whole = sum(fits.cost(Proposal(candidate.number, candidate.defaults)) for candidate in fits.candidates)
        return simulate(policy, fits, max(share * whole, 1.0), workers)


def _watched(policy: Policy, is_checked: bool, is_repeated: bool) -> Policy:
    """Returns a policy that asks another one, whose calls it counts and checks."""
    calls, pristine = 0, copy.deepcopy(policy)

    class Watched(Policy):
        name = policy.name

        def next(self, situation: Situation) -> Proposal | None:
            nonlocal calls
            calls += 1
            assert calls < _MOST_CALLS, "the search does not end"
            proposal = policy.next(situation)
            if is_repeated:
                again = copy.deepcopy(pristine).next(situation)
                assert again == proposal, "the same situation gave another proposal"
            if is_checked and proposal is not None:
                assert situation.fits(proposal), f"{proposal} costs more than the {situation.seconds_left:.0f} s left"
            return proposal

    return Watched()
