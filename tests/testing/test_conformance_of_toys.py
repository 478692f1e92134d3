from __future__ import annotations

from tlbench.testing.conformance import BackboneConformance, StrategyConformance, TaskConformance
from tlbench.testing.faults import MeddlingStrategy
from tlbench.testing.toy_kinds import ToyLabelsTask, ToySpanTask, ToyWordsTask
from tlbench.testing.toy_spaces import ToyRule
from tlbench.testing.toys import ToyBackbone, ToyFit, ToyMajority, ToyScalarTask, ToyTask, ToyTune


class TestToyBackbone(BackboneConformance):
    backbone = ToyBackbone()


class TestToyFirstReadout(BackboneConformance):
    backbone = ToyBackbone(width=8, blocks=1, weights=3, readout="first")


class TestToyTask(TaskConformance):
    task = ToyTask(unlabeled=10)
    sizes = {"train": 64, "validation": 32, "test": 32, "unlabeled": 10}


class TestToyScalarTask(TaskConformance):
    task = ToyScalarTask()
    sizes = {"train": 64, "validation": 32, "test": 32, "unlabeled": 0}


class TestToyLabelsTask(TaskConformance):
    task = ToyLabelsTask()
    sizes = {"train": 64, "validation": 32, "test": 32, "unlabeled": 0}


class TestToyWordsTask(TaskConformance):
    task = ToyWordsTask()
    sizes = {"train": 64, "validation": 32, "test": 32, "unlabeled": 0}


class TestToySpanTask(TaskConformance):
    task = ToySpanTask(unanswerable=True)
    sizes = {"train": 64, "validation": 32, "test": 32, "unlabeled": 0}


class TestToyFit(StrategyConformance):
    strategy = ToyFit()


class TestToyTune(StrategyConformance):
    strategy = ToyTune()


class TestToyRule(StrategyConformance):
    strategy = ToyRule()


class TestToyMajority(StrategyConformance):
    strategy = ToyMajority()


class TestToyMeddling(StrategyConformance):
    strategy = MeddlingStrategy()
    saves = False


class TestToyMeddlingWithStructure(StrategyConformance):
    strategy = MeddlingStrategy(structure=True)
    saves = False
