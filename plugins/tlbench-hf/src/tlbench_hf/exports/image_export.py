"""Writes a fitted image model as a folder of transformers, with its image processor."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from tlbench import Output, UsageError
from tlbench.contracts.exports.forms import Exportable, ExportedFiles, FeatureModel, MapsModel
from tlbench_hf.exports import image_model_script
from tlbench_hf.exports.folded_models import folded
from tlbench_hf.exports.text_export import refuse_other_layers
from tlbench_hf.loading import quiet
from tlbench_hf.vision.image_pixels import load_processor


def export_image(model: Exportable, output: Output, source: Path, folder: Path) -> ExportedFiles:
    """Writes a model into a folder; `source` is the folder of the backbone, with its image processor.

    Raises:
        UsageError: transformers has no form for this model.
    """
    if isinstance(model, MapsModel):
        return _export_maps(model, source, folder)
    if not isinstance(model, FeatureModel):
        raise UsageError(f"a {type(model).__name__} has no encoder to export")
    if model.adapter is not None:
        raise UsageError("adapters of image models are merged: leave --adapter out")
    if model.encoder.underlying is not model.encoder:
        raise UsageError("the head reads all stages of the backbone, which has no form for images: take layers=last")
    model.encoder.cpu().float()
    size = load_processor(source).size
    batch = {"pixel_values": torch.randn((2, 3, *size), generator=torch.Generator().manual_seed(0))}
    whole = folded(model, output, batch, image=True)
    native: Any = model.encoder.native if whole is None else whole
    refuse_other_layers(native)
    _write(native, source, folder)
    settings = {
        "module": type(native).__module__, "class": type(native).__name__, "readout": model.encoder.readout,
        "includes_head": whole is not None,
    }  # fmt: skip
    loading = (
        'import transformers\npipe = transformers.pipeline("image-classification", model="{folder}")'
        if whole is not None
        else f"from {type(native).__module__} import {type(native).__name__}\n"
        f'encoder = {type(native).__name__}.from_pretrained("{{folder}}")'
    )
    script = Path(image_model_script.__file__)
    return ExportedFiles(
        script, settings, whole is not None, "transformers", loading, ("torch", "transformers", "pillow")
    )


def _export_maps(model: MapsModel, source: Path, folder: Path) -> ExportedFiles:
    """Writes the encoder of a head on several stages, with its resizing of whole images."""
    native: Any = model.encoder.cpu().float().native
    refuse_other_layers(native)
    _write(native, source, folder)
    processor = load_processor(source)
    name, module = type(native).__name__, type(native).__module__
    settings = {
        "module": module, "class": name, "readout": model.encoder.readout, "includes_head": False,
        "maps": {
            "size": list(processor.size), "resample": int(processor.resample),
            "mean": list(processor.normalise.mean), "std": list(processor.normalise.std),
        },
    }  # fmt: skip
    loading = f'from {module} import {name}\nencoder = {name}.from_pretrained("{{folder}}")'
    script = Path(image_model_script.__file__)
    return ExportedFiles(script, settings, False, "transformers", loading, ("torch", "transformers", "pillow"))


def _write(native: Any, source: Path, folder: Path) -> None:
    with quiet():
        native.save_pretrained(folder)
    for name in ("preprocessor_config.json", "processor_config.json"):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
