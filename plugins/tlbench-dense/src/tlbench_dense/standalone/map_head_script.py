"""The class of each pixel, from the maps of this folder's network: see predict.py for its use.

A prediction is {"text", "shares"}: the map as run lengths, which `decoded` of class_runs.py turns into an array (H, W)
of class numbers, and the share of pixels of each class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

ROWS = 16
DATA_ONLY = True


def load(
    folder: Path, settings: dict[str, Any], maps: Callable[[Sequence[Any]], Any], modules: Mapping[str, Any]
) -> Any:
    """Returns a function from rows of one RGB image to predictions."""
    decoders, windows, runs = modules["map_decoders"], modules["image_windows"], modules["class_runs"]
    outputs = modules["stage_outputs"]
    names, size, window = settings["names"], tuple(settings["size"]), settings["window"]
    network = decoders.map_decoder(settings["decoder"], [shape[0] for shape in settings["shapes"]], len(names)).eval()
    network.load_state_dict(load_file(folder / "head.safetensors"))

    def parts(crops: Sequence[Any]) -> list[Any]:
        found: list[Any] = []
        for start in range(0, len(crops), ROWS):
            with torch.inference_mode():
                read = maps([[crop] for crop in crops[start : start + ROWS]])
                logits = network([outputs.as_map(x, shape) for x, shape in zip(read, settings["shapes"], strict=True)])
                found += decoders.rows_of(logits, size, bool(window))
        return found

    def predict(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        regions = [windows.windows(*row[0].size, window) for row in rows]
        crops = [row[0].crop(region) for row, of_image in zip(rows, regions, strict=True) for region in of_image]
        found, predictions = iter(parts(crops)), []
        for of_image in regions:
            classes = decoders.joined([(next(found), region) for region in of_image])
            counts = np.bincount(classes.reshape(-1), minlength=len(names))
            shares = {name: float(count / classes.size) for name, count in zip(names, counts, strict=True) if count}
            predictions.append({"text": runs.encoded(classes), "shares": shares})
        return predictions

    return predict
