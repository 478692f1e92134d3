"""Candidates of two backbones of known sizes, and their costs."""

import pytest

from tlbench.contracts.backbone import Card
from tlbench.contracts.cell import Cell, Protocol, Ref
from tlbench.contracts.policies.policy import Candidate
from tlbench.finding.candidates.all_candidates import Entry
from tlbench.finding.costs.corrected_costs import Costs
from tlbench.finding.costs.data_shape import DataShape
from tlbench.finding.costs.fit_seconds import Speed
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


def costs_of_toys():
    small, large = Sized("small", 1_000_000), Sized("large", 10_000_000)
    entries = [
        entry(0, None, ToyMajority(), "baseline"),
        entry(1, small, ToyFit(), "probe"),
        entry(2, small, ToyTune(), "adaptation"),
        entry(3, large, ToyTune(), "adaptation"),
    ]
    return Costs(entries, DataShape(1000, 250, 20.0), Speed(), 100)


@pytest.fixture
def costs():
    return costs_of_toys()
