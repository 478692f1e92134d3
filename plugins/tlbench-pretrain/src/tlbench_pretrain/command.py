"""`tlbench pretrain`: trains a backbone on unlabelled texts or images and writes it to a folder. Imports no torch."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from tlbench import Diverged, UsageError


def pretrain(
    source: Annotated[
        str, typer.Argument(metavar="CORPUS", help="A text file or a folder of .txt files, or a folder of images.")
    ],
    backbone: Annotated[
        str, typer.Option("--backbone", "-b", help="Backbone whose architecture and tokenizer, or transform, is used.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="New folder for the backbone.")],
    steps: Annotated[int, typer.Option(min=1, help="Number of steps.")] = 1000,
    lr: Annotated[float, typer.Option(min=1e-9, help="Learning rate.")] = 5e-4,
    batch_size: Annotated[int, typer.Option(min=2, help="Rows per step.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the weights, the order of rows and the masks.")] = 0,
    from_pretrained: Annotated[
        bool, typer.Option("--from-pretrained", help="Start from the backbone's weights instead of random ones.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    json_: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON (docs/json.md).")] = False,
) -> None:
    """Pre-train a backbone on unlabelled texts or images.

    Encoders learn to predict masked tokens, decoders the next token, image models to tell images apart. The folder can
    then be named as a backbone; what is printed says how.
    """
    from tlbench.catalog.catalog import Catalog
    from tlbench_pretrain.standalone import PretrainSettings, pretrain_backbone

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out}: it exists already; name a new folder")
    found = Catalog.discover().backbone(backbone)
    settings = PretrainSettings(
        steps=steps, lr=lr, batch_size=batch_size, seed=seed, pretrained=from_pretrained, device=device
    )
    try:
        name, notes = pretrain_backbone(found.item, found.ref.name, source, out, settings)
    except Diverged as error:
        raise UsageError(f"nothing was written: {error}; try a lower --lr") from error
    if json_:
        print(json.dumps({"format": 1, "backbone": name, "notes": notes}, indent=1))
        return
    for key, value in notes.items():
        print(f"{key}  {value:.4g}")
    print(f"tlbench run -b {shlex.quote(name)}")
