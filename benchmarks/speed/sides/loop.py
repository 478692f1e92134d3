"""A bare loop written by hand: the same steps on the same batches, and nothing else. The floor."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from benchmarks.speed.sides.classifier import (
    Classifier,
    Features,
    autocast,
    collate,
    digits,
    fresh,
    labels_of,
    passes,
    prepare,
    rehearse,
)
from benchmarks.speed.sides.job import CellReport, Job, Report, run

POOL = 16
"""How many batches are drawn together and sorted by length, as in tlbench: both sides compute the same padding."""


def work(job: Job, report: Report) -> None:
    """Fine-tunes once with the default setting."""
    began = time.monotonic()
    loaded = prepare(job)
    report.load_seconds = time.monotonic() - began
    report.tokens = loaded.tokens
    seed, lr = job.seeds[0], job.defaults["full-finetune"]["lr"]
    torch.manual_seed(seed)
    model = fresh(loaded, job.classes).to(job.device)
    began = time.monotonic()
    steps = train(model, loaded.train, job, lr, seed)
    report.train_seconds = time.monotonic() - began
    accuracy = float((passes(model, loaded.validation, job).argmax(-1) == labels_of(loaded.validation)).mean())
    predicted = digits(passes(model, loaded.test, job).argmax(-1))
    report.ids = loaded.test_ids
    report.cells = [CellReport("full-finetune", accuracy, 1, steps, {str(seed): predicted}, {"lr": lr})]


def train(model: Classifier, rows: Sequence[Features], job: Job, lr: float, seed: int) -> int:
    """Trains the model; returns how many steps it took."""
    total = job.epochs * math.ceil(len(rows) / job.batch_size)
    rising = max(1, round(total * job.warmup))
    lengths = np.array([len(row["input_ids"]) for row in rows])
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": job.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (step + 1) / rising if step < rising else max(0.0, (total - step) / max(1, total - rising + 1)),
    )
    model.train()
    for _, indices in zip(range(total), batches(lengths, job.batch_size, seed), strict=False):
        batch = {name: value.to(job.device) for name, value in collate([rows[i] for i in indices]).items()}
        with autocast(job):
            loss = model(**batch)["loss"]
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
    if job.device == "cuda":
        torch.cuda.synchronize()
    return total


def batches(lengths: np.ndarray, batch_size: int, seed: int) -> Iterator[list[int]]:
    """Yields batches of row positions without end, rows of like length together."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(lengths))
        found: list[list[int]] = []
        for first in range(0, len(order), batch_size * POOL):
            pool = order[first : first + batch_size * POOL]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            found += [pool[i : i + batch_size].tolist() for i in range(0, len(pool), batch_size)]
        yield from (found[i] for i in rng.permutation(len(found)))


if __name__ == "__main__":
    rehearse()
    run(work)
