"""Fits a strategy in this process and prints what it took beside what was estimated, for test_measured_memory."""

from __future__ import annotations

import ctypes
import gc
import json
import sys
from dataclasses import dataclass, replace

from tlbench_finetune.finetuning.whole import FullFinetune
from tlbench_hf.plugin import tlbench_backbones

from tlbench import Example, Examples, Float, Protocol, SpaceContext, Strategy, Trainable
from tlbench.system.memory_readings import read_memory
from tlbench.system.memory_watch import watched_memory
from tlbench.testing.jobs import Rehearsal
from tlbench.testing.toys import ToyTask

TARGETS = ("query", "value")


@dataclass(frozen=True)
class LongTexts(ToyTask):
    """Texts of more words than the backbone reads."""

    name = "long-texts"

    def split(self, name):
        count = {"train": 64, "validation": 8}.get(name, 0)
        return Examples(Example(f"{name}-{i}", (f"{i} " + "word " * 600,), i % 2) for i in range(count)) or None


@dataclass(frozen=True)
class Lora(Strategy):
    """Hu et al. 2021, arXiv:2106.09685."""

    name = "lora"
    rank: int = 8
    train_batch_size: int = 16

    def space(self, about: SpaceContext):
        return {"lr": Float(1e-4, 1e-2, log=True)}

    def trainable(self, backbone):
        card = backbone.card()
        return Trainable(parameters=card.stages * len(TARGETS) * 2 * card.width * self.rank)

    def fit(self, job):
        from peft import LoraConfig, inject_adapter_in_model

        from tlbench.training import Model, train

        inject_adapter_in_model(LoraConfig(r=self.rank, target_modules=list(TARGETS)), job.encoder.native)
        return train(Model(job.encoder, job.head), job.train, job, batch_size=self.train_batch_size)


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
