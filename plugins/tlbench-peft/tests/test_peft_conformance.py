"""Every strategy passes the conformance checks on a tiny BERT."""

from __future__ import annotations

import pytest
from tlbench_peft.bitfit import BitFit
from tlbench_peft.bottleneck import BottleneckAdapter
from tlbench_peft.low_rank import AdaLora, Dora, Lora, Vera
from tlbench_peft.multiplicative import Ia3, Oft
from tlbench_peft.prompts import PrefixTuning, PromptTuning

from tlbench import Backbone, Protocol
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.toys import ToyTask


class OnBert(StrategyConformance):
    """The checks on a tiny BERT, of one task and few steps."""

    tasks = (ToyTask(unlabeled=16),)
    protocol = Protocol(max_steps=4, precision="fp32", pruner="median")
    draws = 1

    @pytest.fixture(autouse=True)
    def _backbone(self, tiny: dict[str, Backbone]) -> None:
        type(self).backbone = tiny["bert"]


class TestLora(OnBert):
    strategy = Lora()


class TestDora(OnBert):
    strategy = Dora()


class TestAdaLora(OnBert):
    strategy = AdaLora()


class TestVera(OnBert):
    strategy = Vera(rank=8)


class TestIa3(OnBert):
    strategy = Ia3()


class TestOft(OnBert):
    strategy = Oft()


class TestPromptTuning(OnBert):
    strategy = PromptTuning(tokens=4)


class TestPrefixTuning(OnBert):
    strategy = PrefixTuning(tokens=4)


class TestBitFit(OnBert):
    strategy = BitFit()


class TestBottleneckAdapter(OnBert):
    strategy = BottleneckAdapter()
