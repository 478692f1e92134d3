"""tlbench's own policies and the documented one pass the conformance suite, which catches policies that break it."""

import textwrap

import pytest

from tlbench.contracts.policies import policy
from tlbench.contracts.policies.policy import Policy, Proposal
from tlbench.finding.policies.race import Race
from tlbench.finding.policies.random_search import RandomSearch
from tlbench.finding.policies.successive_halving import SuccessiveHalving
from tlbench.testing.conformance import PolicyConformance


class TestRace(PolicyConformance):
    policy = Race()


class TestSuccessiveHalving(PolicyConformance):
    policy = SuccessiveHalving()


class TestRandomSearch(PolicyConformance):
    policy = RandomSearch()


def documented():
    """Returns the policy that the contract's docstring shows."""
    lines = policy.__doc__.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("    class SizeOrder"))
    names = {"Policy": Policy, "Proposal": Proposal, "__name__": "documented"}
    exec(textwrap.dedent("\n".join(lines[first:])), names)
    return names["SizeOrder"]()


class TestDocumented(PolicyConformance):
    policy = documented()
    test_import_is_light = None  # it is no module of its own


def checks(next_proposal):
    class Made(Policy):
        name = "made"

        def next(self, situation):
            return next_proposal(self, situation)

    return type("Check", (PolicyConformance,), {"policy": Made()})()


def first_new(self, situation):
    proposals = (Proposal(one.number, one.defaults) for one in situation.candidates)
    return next((one for one in proposals if situation.is_new(one)), None)


def with_a_memory(self, situation):
    self.calls = getattr(self, "calls", 0) + 1
    return first_new(self, situation) if self.calls % 7 else None


def test_a_policy_that_repeats_a_fit_is_caught():
    repeats = checks(lambda self, situation: Proposal(0, situation.candidates[0].defaults))
    with pytest.raises(Exception, match="proposed a fit of majority twice"):
        repeats.test_every_search_ends(share=3.0, workers=1)


def test_a_policy_that_leaves_the_space_is_caught():
    leaves = checks(lambda self, situation: Proposal(3, {"lr": 1.0}))
    with pytest.raises(Exception, match=r"full of tiny with lr=1.0, which its space does not have"):
        leaves.test_every_search_ends(share=3.0, workers=1)


def test_a_policy_that_ignores_the_budget_is_caught():
    with pytest.raises(AssertionError, match="costs more than"):
        checks(first_new).test_proposals_fit_into_the_budget()


def test_a_policy_with_a_memory_is_caught():
    with pytest.raises(AssertionError, match="gave another proposal"):
        checks(with_a_memory).test_the_same_situation_gives_the_same_proposal()


def test_a_policy_that_never_fits_anything_is_caught():
    with pytest.raises(AssertionError, match="none was fitted whole"):
        checks(lambda self, situation: None).test_every_search_ends(share=3.0, workers=1)


def test_a_policy_that_needs_a_candidate_is_caught():
    with pytest.raises(IndexError):
        checks(lambda self, situation: Proposal(0, situation.candidates[0].params)).test_at_most_one_candidate("none")
