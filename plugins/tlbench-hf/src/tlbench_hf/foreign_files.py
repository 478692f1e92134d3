"""Refuses model folders that would have something else loaded: what no digest or commit of theirs pins.

Read from the files alone, without torch, so that a name can be refused before anything runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tlbench import UsageError

ADAPTER = "adapter_config.json"
"""Has transformers load an adapter on top of the model, where peft is installed."""
TIMM_FAMILIES = frozenset({"gemma3n_vision", "timm_backbone", "timm_wrapper"})
"""Families whose configuration is handed to timm, which may read other files and fetch."""
_KERNELS = ("attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation")


def refuse_foreign(folder: Path, title: str) -> None:
    """Refuses a folder whose files have an adapter, another library's model or code of the hub loaded.

    Raises:
        UsageError: It does, or its configuration cannot be read.
    """
    if (folder / ADAPTER).is_file():
        raise UsageError(f"{title}: holds an adapter ({ADAPTER}): merge it into the model first")
    path = folder / "config.json"
    if not path.is_file():
        return
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{title}: config.json is no JSON: {error}") from error
    refuse_foreign_parts(config, title)


def refuse_foreign_parts(config: Any, title: str) -> None:
    """Refuses a configuration, as JSON has it, that has another model or code of the hub loaded, at whatever depth.

    Raises:
        UsageError: It does.
    """
    for part in _mappings(config):
        family = str(part.get("model_type", ""))
        # timm's own files name no family; transformers knows them by this key
        if family in TIMM_FAMILIES or "pretrained_cfg" in part or part.get("use_timm_backbone"):
            raise UsageError(f"{title}: config.json has timm make the model, or a part of it: use timm:<name>")
        if part.get("use_pretrained_backbone") or isinstance(part.get("backbone"), str):
            raise UsageError(f"{title}: config.json names a backbone to be had elsewhere: use that one by its own name")
        # what has a slash is the name of a repository
        if kernels := [key for key in _KERNELS if "/" in str(part.get(key))]:
            raise UsageError(f"{title}: config.json asks for code from the hub: remove {kernels[0]} from it")


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _mappings(each)
