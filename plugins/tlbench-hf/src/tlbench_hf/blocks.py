"""Finds the blocks of a transformers model, and truncates a model to its lower blocks."""

from __future__ import annotations

from typing import Any

from torch import nn

from tlbench import PluginError, UsageError
from tlbench_hf.families import BLOCK_LISTS


def find_blocks(native: Any, title: str) -> list[str]:
    """Returns the module paths of the blocks, from bottom to top.

    Raises:
        PluginError: The model has no list of blocks, or more than one.
    """
    path = _block_list(native, title)
    return [f"{path}.{i}" for i in range(len(native.get_submodule(path)))]


def cut(native: Any, blocks: list[str], depth: int, title: str) -> list[str]:
    """Keeps the lowest `depth` blocks in the module and its configuration; returns the paths of the kept blocks.

    Modules above the last block, such as a final norm, stay.

    Raises:
        UsageError: The model has fewer than `depth` blocks, or several layers share a block.
    """
    path = blocks[0].rpartition(".")[0]
    layers = native.config.num_hidden_layers
    if depth > layers:
        raise UsageError(f"{title}: depth is {depth}, but the model has {layers} blocks")
    if len(blocks) not in (1, layers) and depth < layers:
        raise UsageError(
            f"{title}: {layers} layers share {len(blocks)} blocks, so single layers cannot be removed: leave depth out"
        )
    # ALBERT calls one block once per layer: with fewer layers it is still needed, unless none is left.
    kept = blocks[:depth] if len(blocks) == layers else blocks[: min(depth, 1)]
    parent_path, _, name = path.rpartition(".")
    holder = native.get_submodule(parent_path)
    setattr(holder, name, nn.ModuleList(list(native.get_submodule(path))[: len(kept)]))
    for config in {id(m.config): m.config for m in native.modules() if hasattr(m, "config")}.values():
        # Some models loop over the configuration's number of layers, and some check `layer_types` against it.
        if isinstance(getattr(config, "layer_types", None), list):
            config.layer_types = config.layer_types[:depth]
        config.num_hidden_layers = depth
    return kept


def _block_list(native: Any, title: str) -> str:
    family: str = native.config.model_type
    if family in BLOCK_LISTS:
        return BLOCK_LISTS[family]
    layers = native.config.num_hidden_layers
    lists = ((path, module) for path, module in native.named_modules() if isinstance(module, nn.ModuleList))
    paths: list[str] = [path for path, module in lists if len(module) == layers]
    if not paths:
        raise PluginError(f"{title}: {type(native).__name__} has no list of {layers} blocks")
    # `named_modules` yields parents before children, so a later list is either inside a block, with the same length by
    # chance, or beside the first list. In the second case the model's layers are spread over both lists.
    siblings = [path for path in paths[1:] if path.rpartition(".")[0] == paths[0].rpartition(".")[0]]
    if siblings:
        raise PluginError(f"{title}: {type(native).__name__} spreads its blocks over {paths[0]} and {siblings[0]}")
    return paths[0]
