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
from tlbench_finetune.finetuning.from_probe import LpFt
from tlbench_finetune.finetuning.frozen_below import HeadOnly, PartialFinetune
from tlbench_finetune.finetuning.regularized import L2Sp, Mixout, RDrop
from tlbench_finetune.finetuning.reinit import ReinitTop
from tlbench_finetune.finetuning.unfreezing import GradualUnfreezing, Surgical
from tlbench_finetune.finetuning.weight_averaging import WeightAveraging
from tlbench_finetune.finetuning.whole import FromScratch, FullFinetune, LayerwiseDecay
from tlbench_finetune.joining.joined_parts import JoinedParts
from tlbench_finetune.probes.linear_probe import LinearProbe
from tlbench_finetune.probes.mlp_probe import MlpProbe
from tlbench_finetune.probes.neighbours import Neighbours
from tlbench_finetune.probes.prototypes import Prototypes
from tlbench_finetune.probes.random_probe import RandomProbe

tlbench_api = (1, 0)


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
        Neighbours(),
        Prototypes(),
        HeadOnly(),
        PartialFinetune(),
        FullFinetune(),
        FromScratch(),
        LpFt(),
        LayerwiseDecay(),
        GradualUnfreezing(),
        Surgical(),
        ReinitTop(),
        L2Sp(),
        Mixout(),
        RDrop(),
        WeightAveraging(),
        JoinedParts(),
    ]
