"""Refuses model folders that would make transformers load anything beyond their own pinned files.

Only files are read, and torch is not imported, so a model is refused before any of its code could run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tlbench import UsageError

ADAPTER = "adapter_config.json"
"""File that makes transformers load an adapter on top of the model where peft is installed."""
TIMM_FAMILIES = frozenset({"gemma3n_vision", "timm_backbone", "timm_wrapper"})
"""Families whose configuration transformers passes to timm, which may read or download other files."""
# Settings whose value may be a hub repository with compiled code, which transformers would download and run.
_KERNELS = ("attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation")


def refuse_foreign(folder: Path, title: str) -> None:
    """Refuses a folder whose files make transformers load an adapter, another library's model or code from the hub.

    Raises:
        UsageError: The folder has such files, or its configuration is not JSON.
    """
    if (folder / ADAPTER).is_file():
        raise UsageError(f"{title}: the folder has an adapter ({ADAPTER}): merge it into the model first")
    path = folder / "config.json"
    if not path.is_file():
        return
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{title}: config.json is not valid JSON: {error}") from error
    refuse_foreign_parts(config, title)


def refuse_foreign_parts(config: Any, title: str) -> None:
    """Refuses a configuration that, at any depth, makes transformers load another model or code from the hub.

    Raises:
        UsageError: The configuration is of this kind.
    """
    for part in _mappings(config):
        family = str(part.get("model_type", ""))
        # timm's own config files have no model_type; transformers recognises them by pretrained_cfg.
        if family in TIMM_FAMILIES or "pretrained_cfg" in part or part.get("use_timm_backbone"):
            raise UsageError(f"{title}: config.json makes timm build the model or a part of it: use timm:<name>")
        if part.get("use_pretrained_backbone") or isinstance(part.get("backbone"), str):
            raise UsageError(f"{title}: config.json refers to a backbone elsewhere: use that one by its own name")
        # A value with a slash is a repository's name.
        if kernels := [key for key in _KERNELS if "/" in str(part.get(key))]:
            raise UsageError(f"{title}: config.json loads code from the hub: remove {kernels[0]} from it")


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _mappings(each)
