"""Reads a timm model's metadata from its safetensors header and hub configuration, without torch."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tlbench import Card, UsageError
from tlbench.contracts.untrusted.safetensors_headers import read_header
from tlbench.contracts.untrusted.settings_files import read_json_object
from tlbench_timm.sources import cached_file, unchanged_file

_CLASSIFIER = re.compile(r"(fc|classifier|last_linear|head|head\.fc|head_dist)\.(weight|bias)")
_BUFFER = re.compile(r".*(running_mean|running_var|attn_mask|relative_position_bias|relative_coords_table)")
# Parts of the tags that timm gives to pretrained weights, as in resnet18.a1_in1k.
_PRETRAINING_DATA = {
    "in1k": "ImageNet-1k",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "laion2b": "LAION-2B",
    "lvd142m": "LVD-142M",
    "openai": "OpenAI's image-text pairs",
    "webli": "WebLI",
}


def read_card(architecture: str, revision: str | None, weights: str | None, size: int | None) -> Card:
    """Returns family, size, licence and pretraining data of a timm model, as far as local files give them."""
    model, _, tag = architecture.partition(".")
    if weights is not None:
        try:
            file = unchanged_file(weights, architecture)
        except UsageError:
            return Card(family=_family(model), source=weights.rpartition("@")[0], on_disk=False)
        return Card(family=_family(model), parameters=count(file, size), source=str(file), revision=weights[-12:])
    cached = cached_file(architecture, revision)
    config = cached_file(architecture, revision, "config.json")
    pretrained = _published(config).get("pretrained_cfg") if config else None
    pretrained = pretrained if isinstance(pretrained, dict) else {}
    trained_on = tuple(_PRETRAINING_DATA[part] for part in tag.split("_") if part in _PRETRAINING_DATA)
    return Card(
        family=_family(model),
        parameters=count(cached, size) if cached else None,
        licence=str(pretrained.get("license") or ""),
        pretraining_data=" and ".join(trained_on),
        trained_on=trained_on,
        source=f"timm/{architecture}" if tag else "",
        revision=revision or "",
        on_disk=cached is not None,
    )


def count(file: Path, size: int | None) -> int | None:
    """Returns the number of encoder parameters in a file, or None if it may differ at this image size."""
    shapes = dict(_tensors(file))
    # Position tables are resized to the image size, so the model may have more or fewer parameters than the file.
    if size is not None and any("pos_embed" in name or "relative_position" in name for name in shapes):
        return None
    wanted = (n for n in shapes if not _CLASSIFIER.fullmatch(n) and not _BUFFER.fullmatch(n))
    return sum(math.prod(shapes[name]) for name in wanted)


def _published(config: Path) -> dict[str, Any]:
    try:
        return read_json_object(config, links="followed")
    except ValueError as error:
        raise UsageError(str(error)) from None


def _family(model: str) -> str:
    # Letters before the first digit: vit_tiny_patch16_224 -> vit, resnet18 -> resnet.
    return re.match(r"(test_)?([a-z]*)", model)[2] or model  # type: ignore[index]


def _tensors(file: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    try:
        # In the hub cache, the file is a link.
        tensors, _ = read_header(file, links="followed")
    except ValueError as error:
        raise UsageError(str(error)) from None
    for name, tensor in tensors.items():
        # Integer tensors are position indices and counters, not parameters.
        if tensor.dtype.startswith(("F", "BF")):
            yield name, tensor.shape
