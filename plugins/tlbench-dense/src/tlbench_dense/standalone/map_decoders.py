"""Modules that turn the maps of a pyramid into logits of classes, and logits into maps of classes of images.

The file imports no tlbench, and `tlbench export` copies it into the folder of a model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
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


def map_decoder(kind: str, channels: Sequence[int], classes: int) -> nn.Module:
    """Returns a decoder with random weights; `kind` is "linear" or "fpn"."""
    return LinearMaps(channels, classes) if kind == "linear" else FusedMaps(channels, classes)


def rows_of(logits: Tensor, size: tuple[int, int], in_windows: bool) -> list[np.ndarray]:
    """Returns a map per row: classes (H, W) in uint8 or, for windows, probabilities (K, h, w) in fp16.

    Args:
        logits: (B, K, h, w).
        size: H and W.
        in_windows: Whether the rows are windows of images.
    """
    # Probabilities of all windows are kept until they are joined, so they stay as small as the finest map.
    maps = logits.softmax(1).half() if in_windows else enlarged(logits, size).argmax(1).to(torch.uint8)
    return list(maps.cpu().numpy())


def nearest(part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map of classes of another size, without new classes: of each pixel the one that lies at its centre."""
    if part.shape == size:
        return part
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.int64)
        for old, new in zip(part.shape, size, strict=True)
    )
    return part[rows[:, None], columns]


def joined(parts: Sequence[tuple[np.ndarray, Sequence[int]]]) -> np.ndarray:
    """Returns the map of classes of an image from those of its windows.

    Args:
        parts: For each window its entry of `rows_of`, and left, top, right and bottom in pixels of the image.
    """
    height, width = (max(int(region[side]) for _, region in parts) for side in (3, 2))
    if len(parts) == 1 and parts[0][0].ndim == 2:
        return nearest(parts[0][0], (height, width))
    total = torch.zeros((len(parts[0][0]), height, width))
    counts = torch.zeros((height, width))
    for probabilities, region in parts:
        left, top, right, bottom = map(int, region)
        window = enlarged(torch.from_numpy(probabilities).float()[None], (bottom - top, right - left))[0]
        total[:, top:bottom, left:right] += window
        counts[top:bottom, left:right] += 1
    return (total / counts).argmax(0).to(torch.uint8).numpy()
