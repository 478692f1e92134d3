"""What `race` fits first, where its fits begin short, what it drops, and what it does with the time that is left."""

from dataclasses import replace

import pytest

from tlbench.contracts.policies.policy import Candidate, Outcome
from tlbench.contracts.space import Float
from tlbench.finding.policies.portfolio import core, ranked_backbones
from tlbench.finding.policies.race import Race
from tlbench.finding.simulated import simulate

QUALITY = {"tiny": 0.5, "good": 0.8, "fair": 0.7, "huge": 0.6}
SIZES = {"tiny": 1, "good": 10, "fair": 20, "huge": 40}
COSTS = {"full": 10, "head": 4}


def candidates():
    found = [Candidate(0, "majority", role="baseline")]
    for name, size in SIZES.items():
        found.append(Candidate(0, "probe", name, "probe", parameters=size))
        for strategy in COSTS:
            space = {"lr": Float(1e-5, 1e-1, log=True)}
            found.append(Candidate(0, strategy, name, parameters=size, space=space, defaults={"lr": 1e-3}))
    return [replace(one, number=number) for number, one in enumerate(found)]


class Table:
    """Fits whose score is their backbone's quality, with a bonus for full fine-tuning at a rate of 3e-3."""

    validation_rows = 200

    def __init__(self, constant=(), failing=()):
        self.candidates, self.constant, self.failing = candidates(), constant, failing

    def cost(self, proposal):
        candidate = self.candidates[proposal.candidate]
        return COSTS.get(candidate.strategy, 1) / (proposal.part or 1)

    def fit(self, proposal):
        candidate = self.candidates[proposal.candidate]
        cell = candidate.strategy, candidate.backbone
        score = QUALITY.get(candidate.backbone, 0.3) + 0.1 * (candidate.strategy == "full")
        score += 0.05 * (proposal.params.get("lr") == 3e-3) - 0.01 * (proposal.part or 0)
        return Outcome(proposal, None if cell in self.failing else score, self.cost(proposal), cell in self.constant)


def with_priors(table, priors):
    table.candidates = [replace(one, prior=priors.get(one.backbone, 0.0)) for one in table.candidates]
    return table


def fitted(table, seconds, workers=1):
    search = simulate(Race(), table, seconds, workers)
    rows = []
    for outcome in search.situation.outcomes:
        candidate = table.candidates[outcome.proposal.candidate]
        rows.append((candidate.strategy, candidate.backbone, outcome.proposal.part, outcome.proposal.params.get("lr")))
    return search, rows


def test_baselines_then_a_probe_of_every_backbone_then_the_portfolio_whole_where_the_budget_holds_it():
    search, rows = fitted(Table(), 60)
    assert rows[0][0] == "majority"
    # The cheapest probe first for an early answer, here the first of equal ones, and then the largest backbone's.
    assert [row[:2] for row in rows[1:5]] == [("probe", name) for name in ("tiny", "huge", "good", "fair")]
    # The best by probe, the largest and the second by probe, and never "tiny", which is none of them.
    assert [row[:3] for row in rows[5:11]] == [
        ("full", "good", None), ("full", "huge", None), ("head", "good", None),
        ("full", "fair", None), ("head", "huge", None), ("head", "fair", None),
    ]  # fmt: skip
    assert ranked_backbones(search.situation) == ["good", "huge", "fair", "tiny"]
    assert len(core(search.situation)) == 6


def test_then_a_step_beside_the_best_takes_turns_with_the_next_candidate():
    search, rows = fitted(Table(), 140)
    after = [row for row in rows[11:] if row[0] != "majority"]
    assert after[0] == ("full", "good", None, 3e-3)
    assert after[1][1:] == ("tiny", None, 1e-3)
    # The best is now at 3e-3: the next steps are beside it.
    assert after[2] == ("full", "good", None, 9e-3)
    best = search.situation.best
    assert (search.situation.candidates[best.proposal.candidate].backbone, best.proposal.params["lr"]) == ("good", 3e-3)


def test_fits_begin_short_where_more_of_them_fit_and_the_better_half_goes_on():
    class Wide(Table):
        """One family for each of twelve strategies, which cost the same."""

        def __init__(self):
            super().__init__()
            probes = [one for one in self.candidates if one.role != "adaptation"]
            space = {"lr": Float(1e-5, 1e-1, log=True)}
            wide = [Candidate(0, f"s{n}", "good", space=space, defaults={"lr": 1e-3}) for n in range(12)]
            self.candidates = [replace(one, number=number) for number, one in enumerate([*probes, *wide])]

        def cost(self, proposal):
            return 10 / (proposal.part or 1) if self.candidates[proposal.candidate].role == "adaptation" else 1

        def fit(self, proposal):
            score = 0.5 + 0.01 * proposal.candidate
            return Outcome(proposal, score, self.cost(proposal))

    # 56 seconds are left after baseline and probes: 5 whole fits with a margin, or 8 short ones, 4 at half and 2 whole.
    _, rows = fitted(Wide(), 61)
    assert [part for _, _, part, _ in rows[5:]] == [8] * 8 + [2] * 4 + [None] * 2
    # Later strategies score higher.
    assert [row[0] for row in rows[13:]] == ["s7", "s6", "s5", "s4", "s7", "s6"]


@pytest.mark.parametrize("problem", ["constant", "failing"])
def test_a_candidate_that_fails_or_answers_a_constant_is_dropped(problem):
    _, rows = fitted(Table(**{problem: {("full", "good")}}), 140)
    assert [row for row in rows if row[:2] == ("full", "good")] == [("full", "good", None, 1e-3)]
    assert ("head", "good", None, 3e-3) in rows


def test_most_of_the_budget_is_used():
    for seconds in (20, 60, 300):
        search, _ = fitted(Table(), seconds)
        assert 0.85 * seconds <= search.seconds <= seconds


def test_without_probes_and_sizes_the_seed_decides_the_order():
    class Plain(Table):
        def __init__(self):
            super().__init__()
            plain = [replace(one, parameters=0) for one in self.candidates if one.strategy == "full"]
            self.candidates = [replace(one, number=number) for number, one in enumerate(plain)]

    orders = set()
    for seed in range(8):
        situation = simulate(Race(), Plain(), 1000, seed=seed).situation
        orders.add(tuple(outcome.proposal.candidate for outcome in situation.outcomes[:4]))
    assert len(orders) > 2


def test_earlier_searches_order_the_probes_after_the_first_two_and_nothing_that_has_a_score():
    priors = {"fair": 0.5, "good": -0.5}
    _, rows = fitted(with_priors(Table(), priors), 60)
    probes = [name for strategy, name, *_ in rows if strategy == "probe"]
    assert probes == ["tiny", "huge", "fair", "good"]
    plain = fitted(Table(), 60)[1]
    assert rows[5:] == plain[5:]
    # Backbones without a probe come by their priors.
    table = with_priors(Table(), priors)
    situation = simulate(Race(), table, 3.4).situation
    assert ranked_backbones(situation)[2:] == ["fair", "good"]
