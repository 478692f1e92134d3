"""What a check of a task takes from the catalog."""

import types
from dataclasses import dataclass

from tlbench.running.task_check import class_weighting
from tlbench.testing.toys import ToyFit


@dataclass(frozen=True)
class Weighted(ToyFit):
    name: str = "weighted"
    class_weight: str | None = None


def test_advice_on_class_weights_names_a_pretrained_strategy_first():
    strategies = [Weighted("from-scratch"), ToyFit(), Weighted("probe"), Weighted("tune")]
    entries = [types.SimpleNamespace(name=strategy.name, item=strategy) for strategy in strategies]
    catalog = types.SimpleNamespace(entries=lambda kind: entries)
    assert class_weighting(catalog) == ["probe", "tune", "from-scratch"]
