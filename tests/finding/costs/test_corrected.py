"""Costs by estimate, and how fits that were measured correct them."""

import math

import pytest

from tlbench.contracts.backbone import Card
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.policies.policy import Candidate, Proposal
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.costs.corrected import Costs
from tlbench.finding.costs.cost_history import known_factors, save_factors
from tlbench.finding.costs.data_shape import DataShape
from tlbench.finding.costs.work import Speed
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyMajority, ToyTune


class Sized(ToyBackbone):
    def __init__(self, name, parameters):
        super().__init__()
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "sized", Card(parameters=parameters, stages=3, width=None))

    def card(self):
        return self.sized


def entry(number, backbone, strategy, role):
    name = backbone.name if backbone else ""
    cell = Cell(Ref("task"), Ref(strategy.name), Protocol(), Ref(name) if backbone else None)
    return Entry(Candidate(number, strategy.name, name, role), cell, strategy, backbone)


@pytest.fixture
def costs():
    small, large = Sized("small", 1_000_000), Sized("large", 10_000_000)
    entries = [
        entry(0, None, ToyMajority(), "baseline"),
        entry(1, small, ToyFit(), "probe"),
        entry(2, small, ToyTune(), "adaptation"),
        entry(3, large, ToyTune(), "adaptation"),
    ]
    return Costs(entries, DataShape(1000, 250, 20.0), Speed(), 100)


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
