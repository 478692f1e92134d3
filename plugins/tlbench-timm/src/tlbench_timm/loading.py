"""Builds models of timm, refuses weights that do not all arrive, and puts stages over them."""

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
from tlbench_timm.blocks import checked
from tlbench_timm.convention import ImageConvention

_blocks: dict[tuple[str, tuple[int, int]], list[str]] = {}


def staged(native: nn.Module, title: str, size: tuple[int, int], content: str | None) -> StagedEncoder:
    """Returns a staged encoder over a module that was just built.

    Args:
        native: The module, on the CPU.
        title: The backbone's name.
        size: Height and width of its images.
        content: Names the weights; None for random ones.

    Raises:
        UsageError: The module does not run on images of this size.
    """
    native.requires_grad_(True).eval()
    for module in native.modules():
        # A first layer that writes into its input would write into the hidden state that a later pass begins with.
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]
    size = (int(size[0]), int(size[1]))
    identity = f"{content or f'random-{uuid.uuid4().hex}'}#{size[0]}x{size[1]}"
    convention = ImageConvention(size)

    def make(blocks: list[str]) -> StagedEncoder:
        return StagedEncoder(native, convention, blocks, readout="pooler", identity=identity)

    key = (title, size)
    if key not in _blocks:
        _blocks[key] = checked(native, size, make)
    try:
        return make(_blocks[key])
    except Exception as error:  # models of many authors raise what they like
        raise UsageError(f"{title}: does not run on images of {size[0]}x{size[1]}: {_one_line(error)}") from error


def library_config(architecture: str, size: int | None) -> dict[str, Any]:
    """Returns timm's data config of a model, at its own size or another.

    Raises:
        UsageError: timm has no such model.
    """
    settings = _pretrained_config(architecture)
    args = {} if size is None else {"input_size": (3, size, size)}
    return dict(timm.data.resolve_data_config(args, pretrained_cfg=settings))


def library_model(architecture: str, weights: Mapping[str, Tensor] | None, size: int | None, title: str) -> nn.Module:
    """Returns a model of timm without its classifier, with these weights or random ones.

    Raises:
        UsageError: timm has no such model, or not at this size.
        PluginError: A tensor is missing, left over or of another shape.
    """
    settings = _pretrained_config(architecture)
    options: dict[str, Any] = {"img_size": size} if size is not None and settings.get("fixed_input_size") else {}
    if weights is None:
        return _created(architecture, title, num_classes=0, **options)
    # With a classifier as large as the file's, all of the file is loaded strictly; what is not wanted goes after that.
    classes = _classes(weights, settings)
    source = {"url": None, "file": None, "hf_hub_id": None, "source": None, "custom_load": False, "label_offset": None}
    overlay = {**source, "state_dict": dict(weights), "num_classes": classes}
    native = _created(
        architecture, title, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=classes, **options
    )
    # Some families are loaded less strictly than that, and would keep random weights where the file has none.
    there = set(native.state_dict())
    missing = sorted(name for name in there - set(weights) if not name.endswith("num_batches_tracked"))
    if missing and not set(weights) - there:
        raise PluginError(f"{title}: tensors of the encoder are missing from the file: {', '.join(missing[:3])}")
    if classes:
        native.reset_classifier(0)
    # The tensors were copied into the model; its settings would keep them alive.
    for config in (native.pretrained_cfg, native.default_cfg):
        config.pop("state_dict", None)
    return native


def read_tensors(path: Path, title: str) -> dict[str, Tensor]:
    """Returns the tensors of a safetensors file.

    Raises:
        UsageError: It is none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{title}: {path} is no safetensors file: {_one_line(error)}") from error


def hub_place(architecture: str) -> tuple[str, str]:
    """Returns the repository and the file of the weights that timm names for a model.

    Raises:
        UsageError: timm has no such model, or no weights for it.
    """
    settings = _pretrained_config(architecture)
    repository = settings.get("hf_hub_id")
    if not repository:
        raise UsageError(
            f"timm has no weights for {architecture}: give timm:{architecture}[weights=<file.safetensors>]"
        )
    filename = str(settings.get("hf_hub_filename") or "model.safetensors")
    return str(repository), f"{filename.rpartition('.')[0]}.safetensors"


def load_strictly(native: nn.Module, weights: Mapping[str, Tensor], title: str) -> nn.Module:
    """Returns the module with these weights in it.

    Raises:
        PluginError: A tensor is missing, left over or of another shape.
    """
    try:
        native.load_state_dict(weights)
    except RuntimeError as error:
        raise PluginError(f"{title}: the weights do not fit the model: {_one_line(error)}") from error
    return native


def _pretrained_config(architecture: str) -> dict[str, Any]:
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture.partition(".")[0], timm.list_models(), n=3)
        raise UsageError(f"timm has no model {architecture!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    try:
        settings: Any = timm.get_pretrained_cfg(architecture, allow_unregistered=False)
    except RuntimeError:
        tags = ", ".join(timm.list_pretrained(f"{architecture.partition('.')[0]}.*")[:3]) or "none"
        raise UsageError(f"timm has no weights of the tag in {architecture!r}; there is {tags}") from None
    config: dict[str, Any] = settings.to_dict()
    return config


def _created(architecture: str, title: str, **options: Any) -> Any:
    try:
        return timm.create_model(architecture, **options)
    except RuntimeError as error:
        if "state_dict" in str(error):
            raise PluginError(f"{title}: the weights do not fit the model: {_one_line(error)}") from error
        raise UsageError(f"{title}: timm does not build it: {_one_line(error)}") from error
    except (AssertionError, ValueError, TypeError) as error:
        raise UsageError(f"{title}: timm does not build it: {_one_line(error)}") from error


def _classes(weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> int:
    classifiers = settings.get("classifier") or ()
    for name in (classifiers,) if isinstance(classifiers, str) else classifiers:
        tensor = weights.get(f"{name}.weight")
        if tensor is not None:
            return len(tensor)
    return 0


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]
