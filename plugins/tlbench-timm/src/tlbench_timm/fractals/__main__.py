"""Makes the weights anew: `python -m tlbench_timm.fractals --out <folder>`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path


def main() -> None:
    """Renders and trains; one thread, so that the weights repeat."""
    from tlbench_timm.fractals.recipe import RECIPES

    parser = argparse.ArgumentParser(prog="python -m tlbench_timm.fractals", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the safetensors files")
    parser.add_argument("--name", choices=RECIPES, action="append", help="only this one; may be given again")
    parser.add_argument("--steps", type=int, help="train so many steps in place of the recipe's; another digest")
    given = parser.parse_args()

    import torch

    from tlbench_timm.fractals.train import pretrain

    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.name or RECIPES:
        recipe = RECIPES[name] if given.steps is None else replace(RECIPES[name], steps=given.steps)
        print(f"{name}: recipe {recipe.digest}", flush=True)
        pretrain(recipe, given.out / f"{name}.safetensors", lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
