"""Simulated searches: who runs when, what the policy sees of it, and what a proposal must be."""

import pytest

from tlbench.contracts.errors import PluginError
from tlbench.contracts.policies.policy import Candidate, Outcome, Policy, Proposal
from tlbench.contracts.space import Choice
from tlbench.finding.simulated import simulate


class Timed:
    validation_rows = 10

    def __init__(self, *seconds):
        self.seconds = seconds
        self.candidates = [Candidate(number, "made", f"net-{number}") for number in range(len(seconds))]

    def cost(self, proposal):
        return 10.0

    def fit(self, proposal):
        return Outcome(proposal, 0.1 * proposal.candidate, self.seconds[proposal.candidate])


class InOrder(Policy):
    name = "in-order"

    def __init__(self):
        self.seen = []

    def next(self, situation):
        counts = len(situation.outcomes), len(situation.running)
        self.seen.append((*counts, situation.seconds_left, situation.longest_seconds))
        proposals = (Proposal(one.number, {}) for one in situation.candidates)
        return next((one for one in proposals if situation.is_new(one)), None)


def test_two_workers_share_the_time_and_outcomes_keep_the_order_of_proposals():
    policy = InOrder()
    search = simulate(policy, Timed(30, 5, 5), seconds=40, workers=2)
    assert [one.proposal.candidate for one in search.situation.outcomes] == [0, 1, 2]
    assert search.times == [30, 5, 10]
    # At 5 the first fit is expected to end at 10, at 10 it is overdue; each worker has the rest until 40.
    assert policy.seen == [(0, 0, 80, 40), (0, 1, 70, 40), (1, 1, 65, 35), (2, 1, 60, 30), (3, 0, 20, 10)]
    assert search.seconds == 40
    assert search.situation.best.proposal.candidate == 2


def test_a_fit_ends_at_the_deadline_without_a_score():
    search = simulate(InOrder(), Timed(30, 30), seconds=40)
    assert [(one.score, one.seconds) for one in search.situation.outcomes] == [(0.0, 30), (None, 10)]


@pytest.mark.parametrize(
    ("proposal", "fault"),
    [
        (Proposal(7, {}), "candidate 7, and there are 1"),
        (Proposal(0, {"lr": 1}, 3), "1/3 of the steps"),
        (Proposal(0, {"lr": 3}), "lr=3, which its space does not have"),
        (Proposal(0, {"lr": True}), "lr=True, which its space does not have"),
        (Proposal(0, {}), "made of net without lr"),
        (Proposal(0, {"lr": 1, "depth": 2}), "depth for made of net, which has no such hyperparameter"),
    ],
)
def test_a_proposal_that_cannot_be_carried_out_is_named(proposal, fault):
    table = Timed(1)
    table.candidates = [Candidate(0, "made", "net", space={"lr": Choice((1, 2))}, defaults={"lr": 1})]
    policy = type("Fixed", (Policy,), {"name": "fixed", "next": lambda self, situation: proposal})()
    with pytest.raises(PluginError, match=fault):
        simulate(policy, table, 10)
