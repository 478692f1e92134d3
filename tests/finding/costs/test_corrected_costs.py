"""Costs by estimate, and how fits that were measured correct them."""

import math
from dataclasses import replace

import pytest

from tlbench.contracts.policies.policy import Proposal
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.costs.cost_history import known_factors, save_factors


def test_larger_backbones_longer_fits_and_trained_weights_cost_more(costs):
    baseline, probe, small, large = (costs.estimate(Proposal(number, {})) for number in range(4))
    assert baseline < probe < small < large
    eighth, half = (costs.estimate(Proposal(3, {}, part)) for part in (8, 2))
    assert eighth < half < large


def test_a_measured_fit_corrects_its_candidate_and_those_alike(costs):
    before = [costs(Proposal(number, {})) for number in range(4)]
    costs.add(Proposal(2, {}), 3 * before[2], before[2])
    after = [costs(Proposal(number, {})) for number in range(4)]
    assert after[2] == pytest.approx(3 * before[2])
    assert after[3] == pytest.approx(3 * before[3])
    assert after[1] == pytest.approx(3 * before[1])
    assert after[0] == before[0], "a baseline says nothing of backbones, nor they of it"
    costs.add(Proposal(3, {}), before[3], after[3])
    assert costs(Proposal(3, {})) == pytest.approx(before[3])
    assert costs.share_close == 0.0


def test_earlier_searches_start_the_next_one(costs, tmp_path):
    file = tmp_path / "costs.json"
    costs.add(Proposal(2, {}), 5 * costs.estimate(Proposal(2, {})))
    save_factors("cpu:1", costs.factors(), file)
    save_factors("cpu:2", {"small | toy-tune": 9.0}, file)
    later = Costs(costs.entries, costs.shape, costs.speed, 100, known_factors("cpu:1", file))
    assert later(Proposal(2, {})) == pytest.approx(5 * later.estimate(Proposal(2, {})))
    assert later(Proposal(3, {})) == pytest.approx(5 * later.estimate(Proposal(3, {})))
    assert later(Proposal(0, {})) == later.estimate(Proposal(0, {}))


def test_a_damaged_history_counts_as_none(tmp_path):
    file = tmp_path / "costs.json"
    for content in (b"{", b'{"format":1,"factors":{"cpu:1":{"a":1e9,"b":2.0}}}'):
        file.write_bytes(content)
        assert all(math.isfinite(one) and one < 1e3 for one in known_factors("cpu:1", file).values())
    assert known_factors("cpu:1", file) == {"b": 2.0}


def test_another_seed_of_a_probe_encodes_nothing_again(costs):
    probe, tuned = Proposal(1, {}), Proposal(2, {})
    costs.add(probe, 30.0, encoding=27.0)
    assert costs.again(probe) == pytest.approx(3 + costs.scoring(probe)), "the test split is encoded, the rest is not"
    assert costs.again(tuned) == pytest.approx(costs(tuned) + costs.scoring(tuned))
    costs.draws_anew = True
    assert costs.again(probe) == pytest.approx(30 + costs.scoring(probe))


def test_scoring_takes_longer_on_more_test_rows(costs):
    tuned = Proposal(2, {})
    before = costs.scoring(tuned)
    costs.shape = replace(costs.shape, test_rows=4 * costs.shape.validation_rows)
    assert costs.scoring(tuned) == pytest.approx(4 * before)


def test_a_card_is_read_once_however_often_costs_are_asked_for(costs, monkeypatch):
    read = []
    monkeypatch.setattr(type(costs.entries[3].backbone), "card", lambda self: read.append(self.name) or self.sized)
    for _ in range(5):
        for number in range(4):
            costs.again(Proposal(number, {}))
    assert sorted(read) == ["large", "small", "small"], "the two candidates of one backbone each read it once"
