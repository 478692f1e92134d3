"""The plugin's hook: the few- and zero-shot strategies. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench import Strategy, hookimpl
from tlbench_fewshot.entailment import ZeroShotEntailment
from tlbench_fewshot.name_similarity import ZeroShotSimilarity
from tlbench_fewshot.prompting import Prompting
from tlbench_fewshot.setfit import SetFit

tlbench_api = (1, 0)


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns one instance of each strategy, with default parameters."""
    return [SetFit(), ZeroShotSimilarity(), ZeroShotEntailment(), Prompting()]
