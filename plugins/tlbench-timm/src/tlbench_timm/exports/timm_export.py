"""Writes a fitted image model as a folder of timm, with the head as its classifier."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from tlbench import Output, UsageError
from tlbench.contracts.exports.forms import DenseHead, Exportable, ExportedFiles, FeatureModel, MapsModel
from tlbench_timm.exports.network_export import export_network
from tlbench_timm.exports.network_recipe import NetworkRecipe
from tlbench_timm.pixels import WHOLE

LOADING = 'import timm\nmodel = timm.create_model("local-dir:{folder}", pretrained=True)'


def export_image(
    model: Exportable,
    output: Output,
    folder: Path,
    data_config: Mapping[str, Any],
    recipe: NetworkRecipe | None,
    title: str,
) -> ExportedFiles:
    """Writes a model into a folder in the format that timm has on the hub.

    A linear head becomes the classifier. Otherwise the model is written without one, and its output is the features.

    Args:
        model: An encoder and a head.
        output: The task's output, with the names of its classes.
        folder: Where to write to.
        data_config: The arguments of timm's `create_transform`.
        recipe: How the network is built if timm registers no model of it.
        title: The backbone's name, for messages.

    Raises:
        UsageError: timm has no form for this model.
    """
    if not isinstance(model, FeatureModel | MapsModel) or model.encoder.underlying is not model.encoder:
        raise UsageError(f"{title}: the head reads other stages than the last one, for which timm has no form")
    if isinstance(model, FeatureModel) and model.adapter is not None:
        raise UsageError("adapters of image models are merged: leave --adapter out")
    if isinstance(model, MapsModel):
        data_config = {**data_config, **WHOLE}
    if recipe is not None:
        return export_network(model, folder, recipe, data_config, title)
    native: Any = model.encoder.cpu().float().native
    architecture = str((getattr(native, "pretrained_cfg", None) or {}).get("architecture", ""))
    if not timm.is_model(architecture):
        raise UsageError(f"{title}: {type(native).__name__} is no model of timm, which could not load it")
    _refuse_other_layers(native, architecture, title)
    has_maps = isinstance(model, MapsModel)
    includes_head = isinstance(model.head, DenseHead) and _became_classifier(native, model.head)
    config: dict[str, Any] = {"pretrained_cfg": {**data_config, "input_size": list(data_config["input_size"])}}
    if includes_head and output.classes:
        config["label_names"] = list(output.classes)
    if "data_config" not in inspect.signature(timm.models.save_for_hf).parameters:
        raise UsageError(f"timm {timm.__version__} cannot write a model's preprocessing: upgrade timm")
    timm.models.save_for_hf(
        native, str(folder), model_config=config, safe_serialization=True, data_config=dict(data_config)
    )
    script = Path(__file__).with_name("timm_model_script.py")
    # timm's settings have no form for squashing, which the script is told of.
    settings = {"maps": True, "transform": WHOLE} if has_maps else {}
    return ExportedFiles(script, settings, includes_head, "timm", LOADING, ("timm", "torch"))


def _became_classifier(native: Any, head: DenseHead) -> bool:
    """Makes a linear head the model's classifier; returns whether it is one, and leaves the model without if not."""
    if len(head.layers) > 1:
        return False
    weight, bias = head.layers[0]
    native.reset_classifier(len(weight))
    classifier = native.get_classifier()
    # Some models have two classifiers, or one that is not linear.
    if not isinstance(classifier, nn.Linear) or classifier.weight.shape != weight.shape:
        native.reset_classifier(0)
        return False
    with torch.no_grad():
        classifier.weight.copy_(weight)
        classifier.bias.copy_(bias)
    return True


def _refuse_other_layers(native: Any, architecture: str, title: str) -> None:
    """Refuses a model with layers that a strategy put into it.

    Raises:
        UsageError: timm would not load them.
    """
    # What timm was asked for, and writes into the folder, such as the size of images.
    asked = {**getattr(native, "_model_args", {}), "num_classes": 0}
    with torch.device("meta"):
        plain = timm.create_model(architecture, **asked)
    if added := sorted(native.state_dict().keys() - plain.state_dict().keys()):
        raise UsageError(f"{title}: the strategy put layers into {architecture} that timm does not have: {added[0]}")
