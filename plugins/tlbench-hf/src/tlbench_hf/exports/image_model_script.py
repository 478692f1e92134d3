"""The model of this folder on images, by transformers alone: see predict.py for its use."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

ROWS = 32
DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Callable[[Sequence[Sequence[Any]]], Any]:
    """Returns a function from rows of one RGB image to logits (N, K) or features (N, D)."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if not settings["module"].startswith("transformers."):
        raise ValueError(f"{settings['module']} is no module of transformers")
    kind = getattr(importlib.import_module(settings["module"]), settings["class"])
    if not issubclass(kind, transformers.PreTrainedModel):
        raise ValueError(f"{settings['class']} is no model of transformers")
    pooled = settings["readout"] == "pooler"
    options = {"add_pooling_layer": pooled} if "add_pooling_layer" in inspect.signature(kind).parameters else {}
    model = kind.from_pretrained(folder, dtype=torch.float32, local_files_only=True, **options).eval()
    processor: Any = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")

    def predict(rows: Sequence[Sequence[Any]]) -> Any:
        found = []
        for start in range(0, len(rows), ROWS):
            images = [row[0] for row in rows[start : start + ROWS]]
            with torch.inference_mode():
                output = model(**processor(images=images, return_tensors="pt"))
            found.append(output.logits if settings["includes_head"] else _readout(output, model, settings["readout"]))
        return np.concatenate([part.float().numpy() for part in found])

    return predict


def _readout(output: Any, model: Any, name: str) -> Any:
    x = output.last_hidden_state
    if name == "first":
        return x[:, 0]
    if name == "mean":
        return x.mean((2, 3)) if x.ndim == 4 else x.mean(1)
    if model.config.model_type.startswith("convnext"):
        return model.layernorm(x.mean((2, 3)))
    return model.pooler(x)
