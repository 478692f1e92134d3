"""Turns the outputs of stages into maps. The file imports no tlbench, and `tlbench export` copies it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def as_map(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Returns a stage's output, which may be tokens or have channels last, as maps (B, C, H, W)."""
    channels, height, width = shape
    if x.ndim == 3:
        # Class and register tokens come before those of the map.
        return x[:, -height * width :].transpose(1, 2).reshape(len(x), channels, height, width)
    return x if tuple(x.shape[1:]) == tuple(shape) else x.permute(0, 3, 1, 2)
