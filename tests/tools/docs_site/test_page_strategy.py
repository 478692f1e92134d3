"""The strategy of docs/howto/add-a-strategy.md keeps its contract as it stands there."""

import sys
from pathlib import Path

import pytest

from tlbench import Protocol
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toys import ToyBackbone, ToyTask
from tools.docs_site.code_blocks import blocks_of

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "add-a-strategy.md"


@pytest.fixture
def strategy(tmp_path, monkeypatch):
    block = next(block for block in blocks_of(PAGE.read_text(encoding="utf-8")) if block.file == "norm_only.py")
    (tmp_path / "page_plugin.py").write_text(block.text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "page_plugin", raising=False)
    import page_plugin

    (strategy,) = page_plugin.tlbench_strategies()
    return strategy


def test_the_strategy_on_the_page_keeps_its_contract(strategy, tmp_path):
    check = type("Check", (StrategyConformance,), {"strategy": strategy})()
    check.test_a_saved_predictor_answers_as_before(tmp_path)
    check.test_what_was_not_saved_is_not_loaded(tmp_path / "more")
    check.test_leaves_the_encoder_as_a_fresh_load()


def test_the_strategy_on_the_page_trains_the_normalisation_layers_and_the_head_alone(strategy):
    rehearsal = Rehearsal(strategy, ToyBackbone(), ToyTask(), Protocol(max_steps=3, precision="fp32"))
    result = rehearsal.fit({"lr": 1e-3}).result
    encoder = ToyBackbone().load()
    norms = sum(p.numel() for name, p in encoder.named_parameters() if "norm" in name)
    assert result.status == "ok", result.traceback
    assert result.trainable_parameters == norms + 2 * encoder.width + 2
