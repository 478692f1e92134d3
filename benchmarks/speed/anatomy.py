"""Profiles encoding and training: the share of matrix products in their time, and the speed of these.

    python -m benchmarks.speed.anatomy

It says what is left to be gained on this machine without computing less: products that run at the rate of one large
product alone cannot be made faster, and all else is the rest of the time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.speed import corpora
from benchmarks.speed.plugin import DATA_VARIABLE, PREFIX, Subset
from tlbench import Protocol
from tlbench.catalog.catalog import Catalog
from tlbench.modeling.activations.encoding import encode_features
from tlbench.testing.jobs import make_job

PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")
STEPS = 60
LARGE = (2048, 384, 1536)
"""Rows, inputs and outputs of the product that the others are held against: MiniLM's widest layer, many tokens."""
HEADER = """| work | threads | ms | in products | products, GFLOP/s | one large product alone, GFLOP/s |
| --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Anatomy:
    """The profile of one piece of work."""

    seconds: float
    """Without the profiler."""
    share: float
    """Of its operators' time, what products take, 0 to 1."""
    rate: float
    """Floating-point operations in a second of a product."""


def anatomy(work: Callable[[], Any]) -> Anatomy:
    """Runs the work three times: to warm up, for the clock, and for the profiler.

    Raises:
        ValueError: There is no product in it.
    """
    work()
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], with_flops=True) as profiler:
        work()
    events = profiler.key_averages()
    products = [event for event in events if event.key in PRODUCTS]
    spent = sum(event.self_cpu_time_total for event in products)
    if not spent:
        raise ValueError("nothing was multiplied")
    total = sum(event.self_cpu_time_total for event in events)
    return Anatomy(seconds, spent / total, sum(event.flops for event in products) / (spent * 1e-6))


def fastest(repeats: int = 30) -> float:
    """Returns the floating-point operations in a second of one large product, the best of some."""
    rows, inputs, outputs = LARGE
    x, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        seconds.append(time.perf_counter() - began)
    return 2 * rows * inputs * outputs / min(seconds)


def line(title: str, threads: int, found: Anatomy, parts: int, best: float) -> str:
    """Returns a row of the table; the work is made of so many equal parts."""
    rates = f"{found.rate / 1e9:.0f} | {best / 1e9:.0f}"
    return f"| {title} | {threads} | {found.seconds / parts * 1e3:.1f} | {found.share:.0%} | {rates} |"


def _cases() -> Iterator[tuple[str, int, int, Callable[[], Any]]]:
    """Yields title, threads as a run has them, number of parts and the work."""
    catalog, task = Catalog.discover(), Subset(f"{PREFIX}sst2")
    backbone = catalog.backbone("minilm-l6").item
    validation = task.split("validation")
    assert validation is not None
    encoder, data = backbone.load(), backbone.featurize(validation, task.output)
    yield f"encoding {len(data)} sentences", 2, 1, lambda: encode_features(encoder, data, "fp32")
    for title, name in (
        ("a step of the top 2 of 6 stages", "partial-finetune[stages=2]"),
        ("a step of full fine-tuning", "full-finetune"),
    ):
        strategy = catalog.strategy(name).item
        job = make_job(strategy, backbone, task, protocol=Protocol(max_steps=STEPS, precision="fp32"))
        yield title, 1, STEPS, lambda strategy=strategy, job=job: strategy.fit(job)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.anatomy", description=__doc__)
    parser.add_argument("--data-root", default=os.environ.get(DATA_VARIABLE, ""), help="GLUE's folder, or its parent")
    os.environ[DATA_VARIABLE] = parser.parse_args().data_root
    try:
        corpora.corpus_folder("sst2", os.environ[DATA_VARIABLE])
    except FileNotFoundError as error:
        print(f"benchmarks.speed.anatomy: {error}; --data-root or {DATA_VARIABLE} says where it is", file=sys.stderr)
        return 2
    print(HEADER)
    for title, threads, parts, work in _cases():
        torch.set_num_threads(threads)
        print(line(title, threads, anatomy(work), parts, fastest()), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
