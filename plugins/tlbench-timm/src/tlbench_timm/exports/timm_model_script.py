"""The model of this folder, by timm alone: see predict.py for its use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

ROWS = 32
DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], Any]:
    """Returns a function from rows of one RGB image to logits (N, K), or to features (N, D) without a classifier."""
    model: Any = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    config = timm.data.resolve_model_data_config(model)
    transform: Any = timm.data.create_transform(**config, is_training=False)

    def predict(rows: Sequence[Sequence[Any]]) -> Any:
        found = []
        for start in range(0, len(rows), ROWS):
            pixels = torch.stack([transform(row[0]) for row in rows[start : start + ROWS]])
            with torch.inference_mode():
                found.append(model(pixels).numpy())
        return np.concatenate(found)

    return predict
