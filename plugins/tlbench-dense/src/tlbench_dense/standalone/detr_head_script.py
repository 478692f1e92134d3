"""Boxes around objects by a detector of transformers: see predict.py for its use.

A prediction is {"text", "found"}: the boxes as tlbench stores them, and for each box, best first, the name of its
class, its score, and left, top, right and bottom in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file

ROWS = 16
DATA_ONLY = True


def load(
    folder: Path, settings: dict[str, Any], maps: Callable[[Sequence[Any]], Any], modules: Mapping[str, Any]
) -> Any:
    """Returns a function from rows of one RGB image to predictions."""
    transformers.utils.logging.set_verbosity_error()
    texts, (height, width) = modules["box_texts"], settings["size"]
    config = transformers.AutoConfig.for_model(**settings["config"])
    whole: Any = transformers.AutoModelForObjectDetection.from_config(config, trust_remote_code=False)
    network = modules["detr_network"].DetrNetwork(whole, settings["shapes"], (height, width)).eval()
    network.load_state_dict(load_file(folder / "head.safetensors"))

    def predict(rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        predictions = []
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            with torch.inference_mode():
                found = network.rows(maps(part)[0])
            for row, boxes in zip(part, found, strict=True):
                prediction = texts.named_prediction(boxes.numpy(), settings["size"], row[0].size, settings["names"])
                predictions.append(prediction)
        return predictions

    return predict
