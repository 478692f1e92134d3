"""Fits a strategy in this process and prints what it took beside what was estimated, for test_measured_memory."""

from __future__ import annotations

import ctypes
import gc
import json
import sys
from dataclasses import dataclass, replace

from tlbench_finetune.finetuning.whole import FullFinetune
from tlbench_hf.plugin import tlbench_backbones
from tlbench_peft.low_rank import Lora

from tlbench import Example, Examples, Protocol
from tlbench.system.process_memory import read_memory, watched_memory
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toys import ToyTask


@dataclass(frozen=True)
class LongTexts(ToyTask):
    """Texts of more words than the backbone reads."""

    name = "long-texts"

    def split(self, name):
        count = {"train": 64, "validation": 8}.get(name, 0)
        return Examples(Example(f"{name}-{i}", (f"{i} " + "word " * 600,), i % 2) for i in range(count)) or None


STRATEGIES = {strategy.name: strategy for strategy in (FullFinetune(), Lora())}


def main(strategy_name: str, rows: str, max_length: str, backbone_name: str = "minilm-l6") -> None:
    strategy = replace(STRATEGIES[strategy_name], train_batch_size=int(rows))
    backbones = {backbone.name: replace(backbone, max_length=int(max_length)) for backbone in tlbench_backbones()[:3]}
    backbone, task = backbones[backbone_name], LongTexts()
    # what libraries take once, whatever is fitted
    fitted(
        replace(strategy, train_batch_size=1), backbones["minilm-l0" if strategy_name != "lora" else "minilm-l3"], task
    )
    rehearsal = rehearsed(strategy, backbone, task)
    before = read_memory().own
    with watched_memory() as watch:
        result = rehearsal.fit().result
    taken = watch.own_peak - before
    assert result.status == "ok", result.traceback
    resources = strategy.resources(backbone, task)
    estimate = resources.memory_bytes + resources.host_bytes + resources.cpu_bytes
    print(
        json.dumps({"measured": taken, "estimate": estimate, "before": before, "trained": result.trainable_parameters})
    )


def rehearsed(strategy, backbone, task):
    """Returns a rehearsal whose texts are read, in a process that has given back what it no longer needs."""
    rehearsal = Rehearsal(strategy, backbone, task, Protocol(max_steps=2, precision="fp32"))
    rehearsal.data("train"), rehearsal.data("validation")
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return rehearsal


def fitted(strategy, backbone, task):
    result = rehearsed(strategy, backbone, task).fit().result
    assert result.status == "ok", result.traceback


if __name__ == "__main__":
    main(*sys.argv[1:])
