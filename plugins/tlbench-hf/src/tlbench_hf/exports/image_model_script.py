"""The model of this folder on images, by transformers alone: see predict.py for its use."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

ROWS = 32
DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Any:
    """Returns a function from rows of one RGB image to logits (N, K) or features (N, D).

    For a head on maps it returns the model, and a function to its last hidden state.
    """
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
    if maps := settings.get("maps"):
        return model, lambda rows: model(pixel_values=_whole([row[0] for row in rows], maps)).last_hidden_state
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


def _whole(images: Sequence[Any], settings: dict[str, Any]) -> torch.Tensor:
    """Returns the pixels of whole images, each side resized on its own."""
    height, width = settings["size"]
    resized = [np.asarray(image.resize((width, height), settings["resample"])) for image in images]
    pixels = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(settings[name]).view(-1, 1, 1) for name in ("mean", "std"))
    return (pixels - mean) / std


def _readout(output: Any, model: Any, name: str) -> Any:
    x = output.last_hidden_state
    if name == "first":
        return x[:, 0]
    if name == "mean":
        return x.mean((2, 3)) if x.ndim == 4 else x.mean(1)
    if model.config.model_type.startswith("convnext"):
        return model.layernorm(x.mean((2, 3)))
    return model.pooler(x)
