"""The plugin's hook: the strategies of this distribution. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench import Strategy, hookimpl
from tlbench_pretrain.contrastive_learning import SimClr, SimCse
from tlbench_pretrain.language_modelling import Dapt, Tapt


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns one instance of each strategy; `dapt` has no corpus, since each use names its own."""
    return [Tapt(), Dapt(), SimCse(), SimClr()]
