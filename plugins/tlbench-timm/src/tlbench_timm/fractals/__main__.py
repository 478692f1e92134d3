"""Reproduces the weights: `python -m tlbench_timm.fractals --out <folder>`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path


def main() -> None:
    """Renders and pre-trains on one thread, so that the weights are reproducible."""
    from tlbench_timm.fractals.recipe import RECIPES

    parser = argparse.ArgumentParser(prog="python -m tlbench_timm.fractals", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the safetensors files")
    parser.add_argument("--name", choices=RECIPES, action="append", help="only this backbone; may be repeated")
    parser.add_argument("--steps", type=int, help="steps instead of the recipe's; changes the digest")
    arguments = parser.parse_args()

    import torch

    from tlbench_timm.fractals.train import pretrain

    # Sums over several threads are rounded in another order, which gives other weights.
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.name or RECIPES:
        recipe = RECIPES[name] if arguments.steps is None else replace(RECIPES[name], steps=arguments.steps)
        print(f"{name}: recipe {recipe.digest}", flush=True)
        pretrain(recipe, arguments.out / f"{name}.safetensors", lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
