"""Finds the blocks of a transformers model, and cuts a model down to its lower ones."""

from __future__ import annotations

from typing import Any

from torch import nn

from tlbench import PluginError, UsageError
from tlbench_hf.families import BLOCK_LISTS


def find_blocks(native: Any, title: str) -> list[str]:
    """Returns the paths of the modules that are blocks, in order.

    Raises:
        PluginError: There is no list of blocks, or more than one.
    """
    path = _block_list(native, title)
    return [f"{path}.{i}" for i in range(len(native.get_submodule(path)))]


def cut(native: Any, blocks: list[str], depth: int, title: str) -> list[str]:
    """Keeps the lowest `depth` blocks, in the module and in its configuration; returns the paths of those kept.

    What stands above the last block, such as a final norm, stays.

    Raises:
        UsageError: There are fewer, or they are shared in a way that depends on their number.
    """
    path = blocks[0].rpartition(".")[0]
    layers = native.config.num_hidden_layers
    if depth > layers:
        raise UsageError(f"{title}: cannot keep {depth} blocks of {layers}")
    if len(blocks) not in (1, layers) and depth < layers:
        raise UsageError(f"{title}: {layers} layers share {len(blocks)} blocks, so some cannot be cut off")
    kept = blocks[:depth] if len(blocks) == layers else blocks[: min(depth, 1)]
    parent, _, name = path.rpartition(".")
    holder = native.get_submodule(parent)
    setattr(holder, name, nn.ModuleList(list(native.get_submodule(path))[: len(kept)]))
    for config in {id(m.config): m.config for m in native.modules() if hasattr(m, "config")}.values():
        # Some models loop over their configuration's number, and some check other lists against it.
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
    found: list[str] = [path for path, module in lists if len(module) == layers]
    if not found:
        raise PluginError(f"{title}: {type(native).__name__} has no list of {layers} blocks")
    # Outer lists come first: what is as long by chance lies within a block, or else beside the list.
    beside = [path for path in found[1:] if path.rpartition(".")[0] == found[0].rpartition(".")[0]]
    if beside:
        raise PluginError(f"{title}: {type(native).__name__} spreads its blocks over {found[0]} and {beside[0]}")
    return found[0]
