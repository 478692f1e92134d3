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
DATA_ONLY = True
NETWORK = "network"
"""The module in network.py beside this file; in an installed plugin it is its own module, never a file of a folder."""
BUILDERS = {
    (NETWORK, "ResNet"): {"depth"},
    ("timm.models.efficientnet", "_gen_mobilenet_v1"): {
        "variant", "channel_multiplier", "pad_type", "bn_eps", "num_classes", "pretrained_cfg",
    },
}  # fmt: skip
"""The functions that may build a network, with the arguments that a folder may give them."""
LARGEST = 4096


def load(folder: Path, settings: dict[str, Any]) -> Any:
    """Returns a function from rows of one RGB image to features (N, D).

    For a head on maps it returns the network, and a function to its last map.
    """
    model = _network(settings["module"], settings["function"], settings["arguments"]).eval()
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


def _network(module: str, function: str, arguments: dict[str, Any]) -> Any:
    """Returns a network with random weights.

    Raises:
        ValueError: It is built by another function than those of `BUILDERS`, or of other arguments.
    """
    known = BUILDERS.get((module, function))
    if known is None:
        raise ValueError(f"{module}.{function} builds no network that this script knows")
    for name, value in arguments.items():
        plain = value == {"num_classes": 0} if name == "pretrained_cfg" else isinstance(value, str | int | float)
        if name not in known or not plain or (isinstance(value, int | float) and not 0 <= value <= LARGEST):
            raise ValueError(f"{function} takes no argument {name} of this value")
    built = importlib.import_module(module) if module != NETWORK else _beside()
    return built.__dict__[function](**arguments)


def _beside() -> Any:
    own = Path(__file__).with_name("network.py")
    # Where `tlbench predict` runs the installed script, the plugin's own module is taken.
    path = own if own.is_file() else Path(__file__).parents[1] / "cifar_resnet.py"
    spec = importlib.util.spec_from_file_location(NETWORK, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
