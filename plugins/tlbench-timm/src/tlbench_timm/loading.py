"""Builds timm models, loads their weights strictly, and wraps them in staged encoders."""

from __future__ import annotations

import difflib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
from torch import Tensor, nn

from tlbench import PluginError, UsageError
from tlbench.modeling.stages.staged_encoder import StagedEncoder
from tlbench_timm.blocks import verified_blocks
from tlbench_timm.convention import ImageConvention

# Maps a backbone's name and image size to the paths of its blocks. Finding them takes several test passes, but depends
# on the architecture alone, so it is done once for all weights.
_blocks: dict[tuple[str, tuple[int, int]], list[str]] = {}


def staged(native: nn.Module, title: str, size: tuple[int, int], content: str | None) -> StagedEncoder:
    """Returns a staged encoder over a newly built module.

    Args:
        native: The module, on the CPU.
        title: The backbone's name, for messages.
        size: Height and width of its images.
        content: Identifier of the pretrained weights; None for random weights.

    Raises:
        UsageError: The module does not run on images of this size.
    """
    native.requires_grad_(True).eval()
    for module in native.modules():
        # An in-place activation at the start of a block would overwrite the cached hidden state that it is given.
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]
    size = (int(size[0]), int(size[1]))
    identity = f"{content or f'random-{uuid.uuid4().hex}'}#{size[0]}x{size[1]}"
    convention = ImageConvention(size)

    def build(blocks: list[str]) -> StagedEncoder:
        return StagedEncoder(native, convention, blocks, readout="pooler", identity=identity)

    key = (title, size)
    if key not in _blocks:
        _blocks[key] = verified_blocks(native, size, build)
    try:
        return build(_blocks[key])
    # An architecture may raise any exception for an image size that it does not support.
    except Exception as error:
        raise UsageError(f"{title}: does not run on images of {size[0]}x{size[1]}: {_one_line(error)}") from error


def library_config(architecture: str, size: int | None) -> dict[str, Any]:
    """Returns timm's data config of a model, for images of side `size` or, if None, of the model's own size.

    Raises:
        UsageError: timm has no such model.
    """
    settings = _pretrained_config(architecture)
    args = {} if size is None else {"input_size": (3, size, size)}
    return dict(timm.data.resolve_data_config(args, pretrained_cfg=settings))


def library_model(architecture: str, weights: Mapping[str, Tensor] | None, size: int | None, title: str) -> nn.Module:
    """Returns a timm model without its classifier, with the given weights; None means random weights.

    Raises:
        UsageError: timm has no such model, or the model does not support this image size.
        PluginError: A tensor is missing, unexpected or of another shape.
    """
    settings = _pretrained_config(architecture)
    # Convolutional networks take any size and have no such argument.
    options: dict[str, Any] = {"img_size": size} if size is not None and settings.get("fixed_input_size") else {}
    if weights is None:
        return _create(architecture, title, num_classes=0, **options)
    # timm loads strictly only if the classifier fits too, so the model is built with the file's number of classes and
    # the classifier is removed afterwards.
    classes = _classes(weights, settings)
    source = {"url": None, "file": None, "hf_hub_id": None, "source": None, "custom_load": False, "label_offset": None}
    # All sources of weights are cleared, so that timm neither downloads nor converts anything.
    overlay = {**source, "state_dict": dict(weights), "num_classes": classes}
    native = _create(
        architecture, title, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=classes, **options
    )
    # Some families have a filter that loads with strict=False and would keep random weights where the file has none.
    expected = set(native.state_dict())
    missing = sorted(name for name in expected - set(weights) if not name.endswith("num_batches_tracked"))
    if missing and not set(weights) - expected:
        raise PluginError(f"{title}: tensors of the encoder are missing from the file: {', '.join(missing[:3])}")
    if classes:
        native.reset_classifier(0)
    # The model's settings would otherwise keep a second copy of all tensors in memory.
    for config in (native.pretrained_cfg, native.default_cfg):
        config.pop("state_dict", None)
    return native


def read_tensors(path: Path, title: str) -> dict[str, Tensor]:
    """Returns the tensors of a safetensors file by name.

    Raises:
        UsageError: The file is not safetensors, or cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{title}: {path} is not a safetensors file: {_one_line(error)}") from error


def hub_place(architecture: str) -> tuple[str, str]:
    """Returns the hub repository and the file name of a timm model's weights.

    Raises:
        UsageError: timm has no such model, or no weights for it.
    """
    settings = _pretrained_config(architecture)
    repository = settings.get("hf_hub_id")
    if not repository:
        raise UsageError(
            f"timm has no weights for {architecture}: give timm:{architecture}[weights=<file.safetensors>]"
        )
    # Some entries name a .bin file, a pickle; their repositories have the same weights as safetensors.
    filename = str(settings.get("hf_hub_filename") or "model.safetensors")
    return str(repository), f"{filename.rpartition('.')[0]}.safetensors"


def load_strictly(native: nn.Module, weights: Mapping[str, Tensor], title: str) -> nn.Module:
    """Returns the module after loading these weights into it.

    Raises:
        PluginError: A tensor is missing, unexpected or of another shape.
    """
    try:
        native.load_state_dict(weights)
    except RuntimeError as error:
        raise PluginError(f"{title}: the weights do not fit the model: {_one_line(error)}") from error
    return native


def _pretrained_config(architecture: str) -> dict[str, Any]:
    if not timm.is_model(architecture):
        similar = difflib.get_close_matches(architecture.partition(".")[0], timm.list_models(), n=3)
        raise UsageError(
            f"timm has no model {architecture!r}" + (f"; did you mean {', '.join(similar)}?" if similar else "")
        )
    try:
        settings: Any = timm.get_pretrained_cfg(architecture, allow_unregistered=False)
    except RuntimeError:
        tags = ", ".join(timm.list_pretrained(f"{architecture.partition('.')[0]}.*")[:3]) or "none"
        raise UsageError(f"timm has no weights with the tag in {architecture!r}; available: {tags}") from None
    config: dict[str, Any] = settings.to_dict()
    return config


def _create(architecture: str, title: str, **options: Any) -> Any:
    try:
        return timm.create_model(architecture, **options)
    except RuntimeError as error:
        # torch's message for weights that do not fit begins "Error(s) in loading state_dict".
        if "state_dict" in str(error):
            raise PluginError(f"{title}: the weights do not fit the model: {_one_line(error)}") from error
        raise UsageError(f"{title}: timm cannot build this model: {_one_line(error)}") from error
    except (AssertionError, ValueError, TypeError) as error:
        raise UsageError(f"{title}: timm cannot build this model: {_one_line(error)}") from error


def _classes(weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> int:
    """Returns the number of classes of the classifier in the weights, or 0 if they have none."""
    classifiers = settings.get("classifier") or ()
    for name in (classifiers,) if isinstance(classifiers, str) else classifiers:
        tensor = weights.get(f"{name}.weight")
        if tensor is not None:
            return len(tensor)
    return 0


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]
