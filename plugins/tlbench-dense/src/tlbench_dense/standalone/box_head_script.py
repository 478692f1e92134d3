"""Boxes around objects, from the maps of this folder's network: see predict.py for its use.

A prediction is {"text", "found"}: the boxes as tlbench stores them, and for each box, best first, the name of its
class, its score, and left, top, right and bottom in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

DATA_ONLY = True


def load(
    folder: Path, settings: dict[str, Any], maps: Callable[[Sequence[Any]], Any], modules: Mapping[str, Any]
) -> Any:
    """Returns a function from rows of one RGB image to predictions."""
    detectors, texts, outputs = modules["detectors"], modules["box_texts"], modules["stage_outputs"]
    names, shapes, (height, width) = settings["names"], settings["shapes"], settings["size"]
    channels = [shape[0] for shape in shapes]
    kind, strides = settings["decoder"], settings["strides"]
    network = detectors.detector(kind, channels, strides, len(names), (height, width)).eval()
    network.load_state_dict(load_file(folder / "head.safetensors"))

    def found(rows: Sequence[Sequence[Any]]) -> list[Any]:
        with torch.inference_mode():
            read = maps(rows)
            levels = [outputs.as_map(x, shape) for x, shape in zip(read, shapes, strict=True)]
            return [row.numpy() for row in detectors.rows_of(network.boxes(network(levels)))]

    return lambda rows: texts.named_predictions(rows, found, (height, width), names)
