"""The plugin's hook: the semi-supervised strategies. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench import Strategy, hookimpl
from tlbench_semisup.consistency import FixMatch, Uda
from tlbench_semisup.pseudo_label import PseudoLabel

tlbench_api = (1, 0)


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns one instance of each strategy, with default parameters."""
    return [PseudoLabel(), FixMatch(), Uda()]
