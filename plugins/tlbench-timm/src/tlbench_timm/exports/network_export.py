"""Writes a fitted network that is not among timm's models, with a Python file that builds it."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from tlbench import UsageError
from tlbench.contracts.exports.forms import ExportedFiles, FeatureModel, MapsModel
from tlbench_timm.exports.network_recipe import NetworkRecipe

LOADING = "# timm has no model of this name: predict.py builds it"


def export_network(
    model: FeatureModel | MapsModel, folder: Path, recipe: NetworkRecipe, data_config: Mapping[str, Any], title: str
) -> ExportedFiles:
    """Writes weights, and the recipe that builds the network; the arguments are those of `export_image`.

    Raises:
        UsageError: A strategy put layers into the network.
    """
    weights = model.encoder.cpu().float().native.state_dict()
    if added := sorted(weights.keys() - recipe.build().state_dict().keys()):
        raise UsageError(f"{title}: the strategy put layers into the network that it does not have: {added[0]}")
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "model.safetensors")
    if not recipe.module.startswith("timm."):
        found = importlib.util.find_spec(recipe.module)
        assert found is not None
        assert found.origin is not None
        shutil.copyfile(found.origin, folder / "network.py")
    settings = {
        "module": recipe.module if recipe.module.startswith("timm.") else "network", "function": recipe.function,
        "arguments": dict(recipe.arguments), "transform": dict(data_config),
        "maps": isinstance(model, MapsModel),
    }  # fmt: skip
    script = Path(__file__).with_name("network_script.py")
    return ExportedFiles(script, settings, False, "timm", LOADING, ("timm", "torch"))
