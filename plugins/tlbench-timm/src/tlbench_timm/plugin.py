"""The plugin's hooks: small backbones whose weights are local files, and those named `timm:<name>[@revision]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tlbench import Backbone, UsageError, hookimpl
from tlbench_timm.backbone import TimmBackbone
from tlbench_timm.fractals.backbones import backbones as fractal_backbones
from tlbench_timm.local_backbones import CifarResNet, MobileNetV1
from tlbench_timm.sources import cached_commit

SCHEME = "timm:"


@hookimpl
def tlbench_backbones() -> Iterable[Backbone]:
    """Returns two trained on fractals, four residual networks trained on CIFAR-10, and a MobileNet on ImageNet."""
    cifar = (CifarResNet(f"cifar-resnet{depth}", depth) for depth in (20, 32, 44, 56))
    return [*fractal_backbones(), *cifar, MobileNetV1("mobilenetv1-025")]


@hookimpl
def tlbench_suites() -> Iterable[Path]:
    """Returns the suite files that come with the package."""
    return sorted((Path(__file__).parent / "suites").glob("*.toml"))


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns how models of timm are named."""
    return {"timm:<name>[@commit]": "backbone"}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Backbone | None:
    """Returns the backbone of a model of timm, pinned to the commit that the local hub cache has for its weights.

    Raises:
        UsageError: No name stands after the scheme.
    """
    if kind != "backbone" or not name.startswith(SCHEME):
        return None
    architecture, _, revision = name.removeprefix(SCHEME).partition("@")
    if not architecture or "/" in architecture:
        raise UsageError(f"{name!r} is no name of a model of timm: it should look like timm:resnet18.a1_in1k")
    commit = cached_commit(architecture, revision or None) or revision or None
    return TimmBackbone(f"{SCHEME}{architecture}@{commit}" if commit else name, architecture, commit)
