"""The plugin's hooks: the strategies of this distribution, and the command `pretrain`. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tlbench import Strategy, hookimpl
from tlbench_pretrain.contrastive_learning import SimClr, SimCse
from tlbench_pretrain.language_modelling import Dapt, Tapt

tlbench_api = (1, 0)


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns one instance of each strategy; `dapt` has no corpus, since each use names its own."""
    return [Tapt(), Dapt(), SimCse(), SimClr()]


@hookimpl
def tlbench_commands() -> Mapping[str, Callable[..., None]]:
    """Returns the command that pre-trains a backbone from random weights."""
    from tlbench_pretrain.command import pretrain

    return {"pretrain": pretrain}
