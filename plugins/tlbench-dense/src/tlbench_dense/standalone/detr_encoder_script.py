"""The backbone of a detector of transformers, with its own resizing: see predict.py for its use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file

DATA_ONLY = True


def load(folder: Path, settings: dict[str, Any]) -> Any:
    """Returns the backbone, and a function from rows of one RGB image to its maps as vectors (N, D)."""
    transformers.utils.logging.set_verbosity_error()
    config = transformers.AutoConfig.for_model(**settings["config"])
    whole: Any = transformers.AutoModelForObjectDetection.from_config(config, trust_remote_code=False)
    network = whole.model.backbone.eval()
    network.load_state_dict(load_file(folder / "model.safetensors"))
    mean, std = (torch.tensor(settings[name]).view(-1, 1, 1) for name in ("mean", "std"))
    height, width = settings["size"]

    def run(rows: Sequence[Sequence[Any]]) -> Any:
        resized = [np.asarray(row[0].resize((width, height), settings["resample"])) for row in rows]
        pixels = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float() / 255
        pixels = (pixels - mean) / std
        features = network(pixels, pixels.new_ones((len(pixels), height, width)))
        return torch.cat([x.flatten(1) for x, _ in features], dim=1)

    return network, run
