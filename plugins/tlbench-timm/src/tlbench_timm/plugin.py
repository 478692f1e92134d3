"""The plugin's hooks: backbones with local weights, and timm models named `timm:<name>[@revision]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tlbench import Backbone, UsageError, hookimpl
from tlbench_timm.backbone import TimmBackbone
from tlbench_timm.efficientnet_lite import NAMES as LITE_NAMES
from tlbench_timm.efficientnet_lite import EfficientNetLite
from tlbench_timm.fractals.backbones import backbones as fractal_backbones
from tlbench_timm.local_backbones import CifarResNet, MobileNetV1
from tlbench_timm.sources import cached_commit

SCHEME = "timm:"

tlbench_api = (1, 0)


@hookimpl
def tlbench_backbones() -> Iterable[Backbone]:
    """Returns backbones trained on fractals, ResNets on CIFAR-10, and a MobileNet and EfficientNets on ImageNet."""
    cifar = (CifarResNet(f"cifar-resnet{depth}", depth) for depth in CifarResNet.files)
    lite = (EfficientNetLite(name) for name in LITE_NAMES)
    return [*fractal_backbones(), *cifar, MobileNetV1("mobilenetv1-025"), *lite]


@hookimpl
def tlbench_suites() -> Iterable[Path]:
    """Returns the suite files of this package."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns the form of names that this plugin resolves: timm models."""
    return {"timm:<name>[@commit]": "backbone"}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Backbone | None:
    """Returns the backbone for a timm model, pinned to the commit that the local hub cache has.

    Raises:
        UsageError: The name after the scheme is empty or contains a slash.
    """
    if kind != "backbone" or not name.startswith(SCHEME):
        return None
    architecture, _, revision = name.removeprefix(SCHEME).partition("@")
    if not architecture or "/" in architecture:
        raise UsageError(f"{name!r} is not a timm model name: write it like timm:resnet18.a1_in1k")
    commit = cached_commit(architecture, revision or None) or revision or None
    return TimmBackbone(f"{SCHEME}{architecture}@{commit}" if commit else name, architecture, commit)


@hookimpl
def tlbench_suggest(kind: str, name: str) -> list[str]:
    """Returns the name of the timm model that a name without the scheme may mean."""
    from tlbench_timm.suggested_names import suggested

    return suggested(name) if kind == "backbone" else []
