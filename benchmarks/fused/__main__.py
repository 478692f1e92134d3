"""Compares fits in one pass with the same fits one by one, in turns, and prints a Markdown table."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.fused import heads, tuning
from benchmarks.fused.material import Material

PARTS = ("heads", "tuning", "lora")


def main() -> None:
    """Prints the table; with --json, writes the seconds of every round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=PARTS, default=["heads"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--attention", choices=("sdpa", "eager"), default="sdpa")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    material = Material.load(torch.device(options.device), options.attention)
    rows = []
    print(HEADER)
    for case in _cases(options.parts, material):
        rows.append(measured(case, options.rounds, options.device.startswith("cuda")))
        print(line(rows[-1]), flush=True)
    if options.json:
        settings = {
            "device": _device(options.device),
            "threads": options.threads,
            "attention": options.attention,
            "torch": torch.__version__,
        }
        options.json.write_text(json.dumps({**settings, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def measured(case: heads.Case, rounds: int, on_gpu: bool) -> dict[str, Any]:
    """Returns the seconds of both ways in turn, after one of each to warm up, and how far the results are apart.

    On a CPU they are seconds of processor time, so that whatever else runs on the machine weighs little.
    """
    clock = time.perf_counter if on_gpu else time.process_time
    one, other = case.alone(), case.together()
    apart = max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))
    pairs = [(_seconds(case.alone, clock), _seconds(case.together, clock)) for _ in range(rounds)]
    return {"case": case.name, "seconds": pairs, "apart": apart}


HEADER = """| fits | one by one, s | together, s | times as fast: min | median | max | furthest apart |
|---|---|---|---|---|---|---|"""


def line(row: dict[str, Any]) -> str:
    """Returns a row of the table."""
    alone, together = (statistics.median(pair[side] for pair in row["seconds"]) for side in (0, 1))
    ratios = [pair[0] / pair[1] for pair in row["seconds"]]
    numbers = f"{min(ratios):.2f} | {statistics.median(ratios):.2f} | {max(ratios):.2f}"
    return f"| {row['case']} | {alone:.3f} | {together:.3f} | {numbers} | {row['apart']:.0e} |"


def _cases(parts: list[str], material: Material) -> Iterator[heads.Case]:
    if "heads" in parts:
        yield from heads.cases(material)
    if "tuning" in parts:
        yield from tuning.cases(material, lora=False)
    if "lora" in parts:
        yield from tuning.cases(material, lora=True)


def _seconds(work: Callable[[], list[Tensor]], clock: Callable[[], float]) -> float:
    began = clock()
    for result in work():
        # reading one number waits for a GPU
        float(result[0])
    return clock() - began


def _device(name: str) -> str:
    return torch.cuda.get_device_name() if name.startswith("cuda") else name


if __name__ == "__main__":
    main()
