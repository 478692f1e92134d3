"""The network of this folder, which timm registers no model of: see predict.py for its use."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from safetensors.torch import load_file

ROWS = 32


def load(folder: Path, settings: dict[str, Any]) -> Any:
    """Returns a function from rows of one RGB image to features (N, D).

    For a head on maps it returns the network, and a function to its last map.
    """
    model = _module(folder, settings["module"]).__dict__[settings["function"]](**settings["arguments"]).eval()
    model.load_state_dict(load_file(folder / "model.safetensors"))
    transform: Any = timm.data.create_transform(**settings["transform"], is_training=False)

    def predict(rows: Sequence[Sequence[Any]]) -> Any:
        found = []
        for start in range(0, len(rows), ROWS):
            pixels = torch.stack([transform(row[0]) for row in rows[start : start + ROWS]])
            with torch.inference_mode():
                x = model.forward_features(pixels)
                found.append(x.numpy() if settings["maps"] else model.forward_head(x, pre_logits=True).numpy())
        return np.concatenate(found)

    return (model, predict) if settings["maps"] else predict


def _module(folder: Path, name: str) -> Any:
    """Returns a module of timm, or else the one that is in this folder as network.py."""
    if name.startswith("timm."):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location("network", folder / "network.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
