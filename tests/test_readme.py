"""What the README shows works as it stands there."""

import sys
from pathlib import Path

import pytest

from tlbench import Protocol
from tlbench.testing.conformance import StrategyConformance
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toys import ToyBackbone, ToyTask

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def strategy(tmp_path, monkeypatch):
    text = README.read_text(encoding="utf-8")
    start, end = (
        text.index("    from dataclasses import dataclass"),
        text.index("`tlbench run --suite glue-lite --strategy +"),
    )
    (tmp_path / "readme_plugin.py").write_text("\n".join(line[4:] for line in text[start:end].splitlines()))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "readme_plugin", raising=False)
    import readme_plugin

    (strategy,) = readme_plugin.tlbench_strategies()
    return strategy


def test_the_strategy_in_the_readme_keeps_its_contract(strategy, tmp_path):
    check = type("Check", (StrategyConformance,), {"strategy": strategy})()
    check.test_a_saved_predictor_answers_as_before(tmp_path)
    check.test_what_was_not_saved_is_not_loaded(tmp_path / "more")
    check.test_leaves_the_encoder_as_a_fresh_load()


def test_the_strategy_in_the_readme_trains_the_normalisation_layers_and_the_head_alone(strategy):
    rehearsal = Rehearsal(strategy, ToyBackbone(), ToyTask(), Protocol(max_steps=3, precision="fp32"))
    result = rehearsal.fit({"lr": 1e-3}).result
    encoder = ToyBackbone().load()
    norms = sum(p.numel() for name, p in encoder.named_parameters() if "norm" in name)
    assert result.status == "ok", result.traceback
    assert result.trainable_parameters == norms + 2 * encoder.width + 2
