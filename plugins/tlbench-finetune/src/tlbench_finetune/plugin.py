"""The plugin's hook: the strategies of this distribution. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from tlbench import Strategy, hookimpl
from tlbench_finetune.baselines.colour_histogram import ColourHistogram
from tlbench_finetune.baselines.cosine import Cosine
from tlbench_finetune.baselines.lead import Lead
from tlbench_finetune.baselines.majority import Majority
from tlbench_finetune.baselines.tfidf import Tfidf
from tlbench_finetune.baselines.word_majority import WordMajority
from tlbench_finetune.finetune import FromScratch, FullFinetune, HeadOnly, LayerwiseDecay, LpFt, PartialFinetune
from tlbench_finetune.mlp import MlpProbe
from tlbench_finetune.probe import LinearProbe
from tlbench_finetune.random_probe import RandomProbe


@hookimpl
def tlbench_strategies() -> Iterable[Strategy]:
    """Returns one instance of each strategy, with default parameters."""
    return [
        Majority(),
        WordMajority(),
        Lead(),
        Tfidf(),
        ColourHistogram(),
        Cosine(),
        LinearProbe(),
        RandomProbe(),
        MlpProbe(),
        HeadOnly(),
        PartialFinetune(),
        FullFinetune(),
        FromScratch(),
        LpFt(),
        LayerwiseDecay(),
    ]
