"""The model of this folder, by timm alone: see predict.py for its use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

ROWS = 32
DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Any:
    """Returns a function from rows of one RGB image to logits (N, K), or to features (N, D) without a classifier.

    For a head on maps it returns the model, and a function to its last map or tokens.
    """
    model: Any = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    maps = settings.get("maps", False)
    config = {**timm.data.resolve_model_data_config(model), **settings.get("transform", {})}
    transform: Any = timm.data.create_transform(**config, is_training=False)

    def predict(rows: Sequence[Sequence[Any]]) -> Any:
        found = []
        for start in range(0, len(rows), ROWS):
            pixels = torch.stack([transform(row[0]) for row in rows[start : start + ROWS]])
            with torch.inference_mode():
                found.append((model.forward_features(pixels) if maps else model(pixels)).numpy())
        return np.concatenate(found)

    return (model, predict) if maps else predict
