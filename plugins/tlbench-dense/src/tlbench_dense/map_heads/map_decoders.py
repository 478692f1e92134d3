"""Modules that turn the maps of a pyramid into logits of classes at the resolution of its finest map."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.ops import FeaturePyramidNetwork

CHANNELS = 64
"""Width of the feature pyramid network."""
_GROUPS = 8


class LinearMaps(nn.Module):
    """A linear layer on the standardised features of all levels, each enlarged to the size of the finest.

    It is linear in the features of a position, as DINOv2's linear evaluation (Oquab et al. 2023, arXiv:2304.07193): a
    batch normalisation gives levels of unlike scales an equal say.
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(count) for count in channels)
        self.layers = nn.ModuleList(nn.Conv2d(count, classes, 1) for count in channels)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Returns logits (B, K, H, W) at the size of the first map."""
        size = maps[0].shape[-2:]
        # A sum of linear layers of the levels is the linear layer of their concatenation, at a fraction of the memory.
        parts = [layer(norm(x)) for norm, layer, x in zip(self.norms, self.layers, maps, strict=True)]
        return torch.stack([enlarged(part, size) for part in parts]).sum(0)


class FusedMaps(nn.Module):
    """A feature pyramid network whose levels are joined and classified, as in UperNet without its pooling module.

    Lin et al. 2017, arXiv:1612.03144; Xiao et al. 2018, arXiv:1807.10221.
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(count) for count in channels)
        self.pyramid = FeaturePyramidNetwork(list(channels), CHANNELS)
        self.fuse = nn.Sequential(
            nn.Conv2d(CHANNELS * len(channels), CHANNELS, 3, padding=1, bias=False),
            nn.GroupNorm(_GROUPS, CHANNELS),
            nn.ReLU(),
        )
        self.classify = nn.Conv2d(CHANNELS, classes, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Returns logits (B, K, H, W) at the size of the first map."""
        size = maps[0].shape[-2:]
        normed = [norm(x) for norm, x in zip(self.norms, maps, strict=True)]
        levels = self.pyramid(OrderedDict((str(i), x) for i, x in enumerate(normed)))
        fused: Tensor = self.fuse(torch.cat([enlarged(x, size) for x in levels.values()], dim=1))
        logits: Tensor = self.classify(fused)
        return logits


def enlarged(x: Tensor, size: Sequence[int]) -> Tensor:
    """Returns maps (B, C, H, W) of another size, interpolated between positions."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)
