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

    def found(rows: Sequence[Sequence[Any]]) -> list[Any]:
        with torch.inference_mode():
            return [boxes.numpy() for boxes in network.rows(maps(rows)[0])]

    return lambda rows: texts.named_predictions(rows, found, (height, width), settings["names"])
