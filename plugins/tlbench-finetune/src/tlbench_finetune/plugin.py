"""The plugin's hook: the strategies of this distribution. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench import Strategy, hookimpl
from tlbench_finetune.finetune import FromScratch, FullFinetune, HeadOnly, LayerwiseDecay, LpFt, PartialFinetune
from tlbench_finetune.lead import Lead
from tlbench_finetune.majority import Majority
from tlbench_finetune.mlp import MlpProbe
from tlbench_finetune.probe import LinearProbe


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns one instance of each strategy, with default parameters."""
    return [
        Majority(),
        Lead(),
        LinearProbe(),
        MlpProbe(),
        HeadOnly(),
        PartialFinetune(),
        FullFinetune(),
        FromScratch(),
        LpFt(),
        LayerwiseDecay(),
    ]
